"""``pi.pseudo_inverse`` of layers: the Penrose identities, derivatives, and what is refused."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import preimage as pi
from preimage.errors import NotInvertibleError, ShapeError

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import penrose_grid

THIN = list(penrose_grid.layers())[::90]


@pytest.mark.shows("0-7")
@pytest.mark.parametrize(("name", "layer", "shape"), THIN, ids=[name for name, _, _ in THIN])
def test_penrose_identities_over_the_grid(name, layer, shape):
    torch.manual_seed(len(name))
    found = penrose_grid.measure(layer, shape, torch.float64)
    assert found["worst"] <= max(1e-11, 2 * found["exact_but_rounded"])
    single = penrose_grid.measure(layer, shape, torch.float32)
    assert single["worst"] <= max(1e-5, 3 * single["exact_but_rounded"])


@pytest.mark.parametrize(("name", "layer", "shape"), penrose_grid.LARGE[1:4], ids=lambda v: str(v)[:20])
def test_penrose_identities_of_larger_layers(name, layer, shape):
    torch.manual_seed(0)
    assert penrose_grid.measure_on_vectors(layer, shape, torch.float64)["worst"] <= 1e-11


def test_circular_padding_is_inverted_frequency_by_frequency():
    layer = nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular")
    assert pi.pseudo_inverse(layer, (3, 7, 6)).route == "one singular value decomposition per frequency"


LAYERS = {
    "contracting": (lambda: nn.Conv2d(3, 2, 3, stride=2, padding=1), (3, 5, 5)),
    "expanding": (lambda: nn.Conv1d(2, 5, 3, padding=1), (2, 6)),
    "circular": (lambda: nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular"), (2, 6)),
    "patches": (lambda: nn.Conv2d(1, 3, 2, stride=2), (1, 4, 4)),
    "transposed": (lambda: nn.ConvTranspose1d(2, 3, 3, 2), (2, 4)),
    "linear": (lambda: nn.Linear(4, 3), (2, 4)),
    "chain": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 2), nn.Linear(2, 4)), (2, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_derivatives_by_the_outputs_and_the_parameters(name):
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    layer = make().double()
    inverse = pi.pseudo_inverse(layer, shape)
    y = torch.randn_like(layer(torch.zeros(2, *shape).double())).detach().requires_grad_()
    parameters = list(layer.parameters())

    def solve(y, *values):
        with torch.no_grad():
            for parameter, value in zip(parameters, values, strict=True):
                parameter.copy_(value)
        return inverse(y)

    weight = torch.randn(2, *shape).double()
    gradients = torch.autograd.grad((inverse(y) * weight).sum(), [y, *parameters])
    start = [p.detach().clone() for p in parameters]
    for index, gradient in enumerate(gradients):
        move = torch.randn_like(gradient)
        values = []
        for step in (1e-6, -1e-6):
            point = [y.detach().clone(), *(p.clone() for p in start)]
            point[index] += step * move
            values.append((solve(*point) * weight).sum().item())
        numerical = (values[0] - values[1]) / 2e-6
        assert numerical == pytest.approx((gradient * move).sum().item(), rel=1e-5, abs=1e-6)


def test_a_changed_weight_is_seen_and_gradients_can_be_switched_off():
    layer = nn.Linear(3, 3).double()
    inverse = pi.pseudo_inverse(layer, (3,))
    x = torch.randn(2, 3).double()
    assert torch.allclose(inverse(layer(x)), x)
    with torch.no_grad():
        layer.weight.mul_(2)
        answer = inverse(layer(x))
    assert torch.allclose(answer, x)
    assert not answer.requires_grad


def test_the_unseen_part_is_the_null_space():
    layer = nn.Conv2d(2, 1, 3).double()
    inverse = pi.pseudo_inverse(layer, (2, 5, 5))
    x = torch.randn(1, 2, 5, 5).double()
    hidden = inverse.unseen(x)
    assert inverse.facts.nullity == 50 - 9
    assert torch.allclose(layer(x + hidden), layer(x))
    assert hidden.norm() > 0.1
    assert torch.allclose(inverse(layer(x)) + hidden, x)


def test_values_outside_the_range_are_flagged():
    layer = nn.Linear(2, 5)
    _, certificate = pi.pseudo_inverse(layer, (2,)).solve(torch.randn(3, 5))
    assert not certificate.converged.any()


def test_what_is_not_affine_is_refused_with_advice():
    with pytest.raises(NotInvertibleError, match=r"relu.*preimage\.invert"):
        pi.pseudo_inverse(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), (2,))
    with pytest.raises(ShapeError, match=r"takes a tensor \(N, 2\)"):
        pi.pseudo_inverse(nn.Linear(2, 2), (2,))(torch.ones(1, 3))
