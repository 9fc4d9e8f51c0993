"""Layers for sets: reordering the elements reorders the result."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from preimage import Bijection, Chain
from preimage.layers import (
    Affine,
    CayleyOrthogonal,
    Coupling,
    DeepSet,
    Dense,
    LULinear,
    SetCoupling,
    SetLinear,
    SetTransformer,
    SlicePartition,
)

SIZE = 4


def _deep() -> SetCoupling:
    return SetCoupling(3, DeepSet(1, 4, (6, 5)))


def _attention() -> SetCoupling:
    return SetCoupling(3, SetTransformer(2, 2, 8, 2, 2), keep=2, first=False)


def _linear() -> SetLinear:
    return SetLinear(LULinear(3), Dense(3))


def _flow() -> Chain:
    return Chain(_deep(), CayleyOrthogonal(3), _attention(), Affine(3), _linear(), _deep())


def _moved(layer: nn.Module) -> nn.Module:
    for number, parameter in enumerate(layer.parameters()):
        with torch.no_grad():
            parameter.add_(
                0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number))
            )
    return layer.double()


def _equivariance_error(layer: Bijection, context: Tensor | None = None) -> float:
    """The largest difference over all orders, in both directions, values and log_dets."""
    x = torch.randn(2, 3, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    errors = []
    for run in (layer.forward_and_log_det, layer.inverse_and_log_det):
        y, log_det = run(x, context)
        for order in itertools.permutations(range(SIZE)):
            moved, moved_log_det = run(x[:, :, list(order)], context)
            errors += [(moved - y[:, :, list(order)]).abs().max(), (moved_log_det - log_det).abs().max()]
    return torch.stack(errors).max().item()


@pytest.mark.parametrize("make", [_deep, _attention, _linear, _flow])
def test_reordering_the_elements_reorders_the_result(make: type) -> None:
    layer = _moved(make())
    assert isinstance(layer, Bijection)
    assert _equivariance_error(layer) < 1e-11


@pytest.mark.parametrize(
    "conditioner", [DeepSet(1, 4, (6,), context=2), SetTransformer(1, 4, 8, 1, 2, context=2)]
)
def test_with_a_context_too(conditioner: nn.Module) -> None:
    layer = _moved(SetCoupling(3, conditioner, context=2))
    assert isinstance(layer, Bijection)
    assert _equivariance_error(layer, torch.randn(2, 2).double()) < 1e-11


def test_an_ordinary_conditioner_shows_in_the_same_test() -> None:
    layer = _moved(
        Coupling(
            SlicePartition(3),
            nn.Sequential(nn.Flatten(), nn.Linear(SIZE, 4 * SIZE), nn.Unflatten(1, (4, SIZE))),
        )
    )
    assert isinstance(layer, Bijection)
    assert _equivariance_error(layer) > 0.01


def test_elements_see_each_other() -> None:
    x = torch.randn(1, 3, SIZE).double().requires_grad_()
    for make in (_deep, _attention, _linear):
        layer = _moved(make())
        gradient = torch.autograd.grad(layer(x)[0, :, 0].square().sum(), x)[0]
        assert (gradient.abs().sum(1) > 0).all()


@pytest.mark.parametrize("size", [1, 2, 9])
def test_set_linear_against_its_matrix(size: int) -> None:
    layer = _moved(_linear())
    assert isinstance(layer, SetLinear)
    a, m = layer.around.matrix, layer.mean.matrix
    share = torch.full((size, size), 1 / size, dtype=torch.float64)
    matrix = torch.kron(a.contiguous(), torch.eye(size).double() - share) + torch.kron(m.contiguous(), share)
    assert layer.bias is not None
    x = torch.randn(4, 3, size).double()
    y, log_det = layer.forward_and_log_det(x)
    wanted = (x.flatten(1) @ matrix.mT).view_as(x) + layer.bias[:, None]
    assert torch.allclose(y, wanted)
    assert torch.allclose(log_det, torch.linalg.slogdet(matrix).logabsdet.expand(4))
    assert torch.allclose(layer.inverse(y), x)


def test_one_layer_serves_sets_of_all_sizes() -> None:
    flow = _moved(_flow())
    assert isinstance(flow, Chain)
    for size in (1, 2, 30):
        x = torch.randn(3, 3, size).double()
        assert torch.allclose(flow.inverse(flow(x)), x)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="heads"):
        SetTransformer(1, 1, 5, heads=2)
    with pytest.raises(ValueError, match="equal ones"):
        SetLinear(LULinear(2), LULinear(3))
    with pytest.raises(ValueError, match="keep"):
        SetCoupling(2, DeepSet(2, 1), keep=2)
