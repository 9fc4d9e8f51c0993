"""Weight tools: values kept at the start, norms against dense matrices, fans against counting."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from preimage import weights
from preimage.errors import DomainError
from preimage.layers import Exp, RangeCompression, Softplus

CONVOLUTIONS = [
    lambda: nn.Conv1d(2, 3, 3, padding=1),
    lambda: nn.Conv2d(2, 3, 3, padding=1, stride=2),
    lambda: nn.Conv2d(4, 4, (3, 1), groups=2, dilation=2, padding="same"),
    lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"),
]


def _size(module: nn.Module) -> tuple[int, ...]:
    return (6,) if isinstance(module, nn.Conv1d) else (6, 5)


def _dense_norm(module: nn.Conv2d, size: tuple[int, ...]) -> torch.Tensor:
    """The norm of the whole map, from its matrix built column by column."""
    count = module.in_channels * math.prod(size)
    basis = torch.eye(count, dtype=torch.float64).view(count, module.in_channels, *size)
    matrix = (module(basis) - module(torch.zeros_like(basis))).flatten(1).T
    return torch.linalg.matrix_norm(matrix.detach(), 2)


@pytest.mark.shows("3-20")
@pytest.mark.parametrize(
    ("module", "count"),
    [
        (nn.Linear(400, 300), 400),
        (nn.Conv1d(8, 5, 3), 24),
        (nn.Conv2d(6, 8, (3, 5), groups=2), 45),
        (nn.ConvTranspose2d(6, 8, 4, stride=2), 24),
    ],
)
def test_fan_in_counts_the_inputs_of_one_output(module: nn.Module, count: int) -> None:
    assert weights.fan_in(module) == count


def test_fan_in_equals_the_response_to_ones() -> None:
    module = nn.Conv2d(6, 8, (3, 5), groups=2, bias=False)
    nn.init.ones_(module.weight)
    assert module(torch.ones(1, 6, 9, 9))[0, 0, 0, 0].item() == weights.fan_in(module)


def test_fan_in_refuses_other_modules() -> None:
    with pytest.raises(TypeError, match="wanted a linear layer"):
        weights.fan_in(nn.ReLU())


@pytest.mark.shows("3-20", "3-19")
@pytest.mark.parametrize(
    "distribution",
    [
        None,
        torch.distributions.Uniform(3.0, 5.0),
        torch.distributions.Laplace(1.0, 7.0),
    ],
)
def test_he_deviation_whatever_the_base(distribution: torch.distributions.Distribution | None) -> None:
    torch.manual_seed(0)
    for module in (nn.Linear(400, 300), nn.Conv2d(32, 64, 5)):
        weights.HeInitialiser(distribution)(module)
        wanted = math.sqrt(2 / weights.fan_in(module))
        assert module.weight.std().item() == pytest.approx(wanted, rel=0.02)
        assert abs(module.weight.mean().item()) < 0.02 * wanted
        assert not module.bias.any()


def test_he_keeps_the_second_moment_through_rectifiers() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(*[layer for _ in range(5) for layer in (nn.Linear(512, 512, bias=False), nn.ReLU())])
    net.apply(weights.HeInitialiser())
    moment = net(torch.randn(256, 512)).square().mean().item()
    assert 0.6 < moment < 1.6


def test_he_refuses_a_base_without_variance() -> None:
    with pytest.raises(ValueError, match="no finite, positive variance"):
        weights.HeInitialiser(torch.distributions.Cauchy(0.0, 1.0))


@pytest.mark.shows("3-19")
@pytest.mark.parametrize("bijection", [Exp(), Softplus(), RangeCompression(0, 10)])
def test_reparametrised_weight_keeps_its_value(bijection: nn.Module) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(5, 4).double()
    with torch.no_grad():
        layer.weight.uniform_(0.1, 2.0)
    before = layer.weight.detach().clone()
    weights.reparametrise(layer, bijection)
    torch.testing.assert_close(layer.weight, before, rtol=1e-13, atol=1e-14)
    with torch.no_grad():
        layer.parametrizations.weight.original -= 100.0
    assert (layer.weight > 0).all()
    layer.weight = before
    parametrize.remove_parametrizations(layer, "weight")
    torch.testing.assert_close(layer.weight.detach(), before, rtol=1e-13, atol=1e-14)
    assert isinstance(layer.weight, nn.Parameter)


def test_reparametrise_refuses_a_value_out_of_range() -> None:
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.weight, -1.0)
    with pytest.raises(DomainError, match="open interval"):
        weights.reparametrise(layer, Exp())


@pytest.mark.shows("3-19")
def test_equalised_learning_rate_keeps_the_weight_and_scales_the_parameter() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 64, 5)
    before = layer.weight.detach().clone()
    weights.equalised_learning_rate(layer)
    torch.testing.assert_close(layer.weight.detach(), before)
    weights.HeInitialiser()(layer)
    assert layer.parametrizations.weight.original.std().item() == pytest.approx(1.0, rel=0.02)
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / 800), rel=0.02)
    after = layer.weight.detach().clone()
    parametrize.remove_parametrizations(layer, "weight")
    assert torch.equal(layer.weight.detach(), after)


@pytest.mark.shows("3-19")
@pytest.mark.parametrize(
    ("make", "others"),
    [
        (lambda: nn.Linear(7, 4), (1,)),
        (lambda: nn.Conv2d(3, 5, 3), (1, 2, 3)),
        (lambda: nn.ConvTranspose1d(3, 5, 4), (0, 2)),
    ],
)
def test_centred_weight_norm(make, others: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = make().double()
    before = layer.weight.detach().clone()
    weights.centred_weight_norm(layer)
    centred = before - before.mean(others, keepdim=True)
    torch.testing.assert_close(layer.weight.detach(), centred, rtol=1e-13, atol=1e-15)
    with torch.no_grad():
        layer.parametrizations.weight.original0.copy_(torch.arange(1.0, len(centred.mean(others)) + 1))
        layer.parametrizations.weight.original1.add_(torch.randn_like(before) + 5.0)
    lengths = torch.linalg.vector_norm(layer.weight, dim=others)
    assert layer.weight.mean(others).abs().max() < 1e-14
    torch.testing.assert_close(lengths, layer.parametrizations.weight.original0, rtol=1e-13, atol=0)
    after = layer.weight.detach().clone()
    parametrize.remove_parametrizations(layer, "weight")
    assert torch.equal(layer.weight.detach(), after)


def test_centred_weight_norm_refuses_what_it_cannot_centre() -> None:
    with pytest.raises(ValueError, match="all equal"):
        weights.centred_weight_norm(nn.Linear(1, 3))
    with pytest.raises(ValueError, match="one group"):
        weights.centred_weight_norm(nn.ConvTranspose2d(4, 4, 3, groups=2))


@pytest.mark.shows("3-19")
@pytest.mark.parametrize("shape", [(100, 100), (30, 70), (70, 30)])
def test_spectral_norm_of_a_matrix(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(*shape).double()
    nn.init.normal_(layer.weight)
    weights.spectral_norm(layer, norm=0.7)
    assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(0.7, rel=1e-12)


@pytest.mark.shows("3-19")
def test_spectral_norm_follows_training() -> None:
    torch.manual_seed(0)
    layer = weights.spectral_norm(nn.Linear(64, 64))
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.05)
    x, target = torch.randn(128, 64), torch.randn(128, 64)
    worst = 0.0
    for _ in range(100):
        optimiser.zero_grad()
        (layer(x) - target).square().mean().backward()
        optimiser.step()
        with torch.no_grad():
            worst = max(worst, abs(torch.linalg.matrix_norm(layer.weight, 2).item() - 1))
    assert worst < 1e-3


@pytest.mark.shows("3-19")
def test_cold_power_iteration_reaches_a_separated_norm_in_thirty_steps() -> None:
    torch.manual_seed(0)
    layer = weights.spectral_norm(nn.Linear(100, 100).double())
    layer.weight = torch.randn(100, 100, dtype=torch.float64) + 1.0  # one value of 100 above a bulk of 20
    nn.init.normal_(layer.parametrizations.weight[0].v)
    for _ in range(30):
        found = torch.linalg.matrix_norm(layer.weight, 2).item()
    assert found == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("make", CONVOLUTIONS)
def test_spectral_norm_of_a_convolution_is_that_of_the_whole_map(make) -> None:
    torch.manual_seed(0)
    module = make().double()
    size = _size(module)
    wanted = _dense_norm(module, size)
    torch.testing.assert_close(weights.operator_norm(module, size), wanted, rtol=1e-4, atol=0)
    weights.spectral_norm(module, norm=2.0, size=size)
    assert _dense_norm(module.eval(), size).item() == pytest.approx(2.0, rel=1e-4)


def test_norm_of_the_kernel_as_a_matrix_is_another_number() -> None:
    torch.manual_seed(0)
    module = nn.Conv2d(4, 4, 3, padding=1).double()
    kernel = torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2)
    assert weights.operator_norm(module, (8, 8)) > 1.2 * kernel


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_spectral_bound_leaves_small_weights_alone(scale: float) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 6).double()
    before = scale * torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64)).Q
    with torch.no_grad():
        layer.weight.copy_(before)
    weights.spectral_bound(layer, bound=0.9)
    wanted = before if scale < 0.9 else before * 0.9 / scale
    torch.testing.assert_close(layer.weight.detach(), wanted, rtol=1e-12, atol=1e-14)


def test_gradient_through_the_norm() -> None:
    torch.manual_seed(0)
    layer = weights.spectral_norm(nn.Linear(4, 3).double(), steps=0)
    parametrisation = layer.parametrizations.weight[0]
    raw = torch.randn(3, 4, dtype=torch.float64)
    u, values, v = torch.linalg.svd(raw, full_matrices=False)
    parametrisation.u.copy_(u[:, 0])
    parametrisation.v.copy_(v[0])
    leaf = raw.clone().requires_grad_()
    coefficients = torch.randn(3, 4, dtype=torch.float64)
    (parametrisation(leaf) * coefficients).sum().backward()
    other = raw.clone().requires_grad_()
    (other / torch.linalg.matrix_norm(other, 2) * coefficients).sum().backward()
    torch.testing.assert_close(leaf.grad, other.grad, rtol=1e-10, atol=1e-12)
    assert values[0] > 0


def test_evaluation_changes_nothing_and_two_uses_have_right_gradients() -> None:
    torch.manual_seed(0)
    layer = weights.spectral_norm(nn.Conv2d(2, 2, 3, padding=1), size=(5, 5))
    x = torch.randn(1, 2, 5, 5)
    layer(layer(x)).sum().backward()  # in training mode the vectors move between the two uses
    assert layer.parametrizations.weight.original.grad.isfinite().all()
    state = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    layer.eval()
    first, second = layer(x), layer(x)
    assert torch.equal(first, second)
    assert all(torch.equal(tensor, state[name]) for name, tensor in layer.state_dict().items())


@pytest.mark.shows("3-19")
def test_removal_keeps_the_effective_weight() -> None:
    layer = weights.spectral_norm(nn.Linear(5, 4)).eval()
    before = layer.weight.detach().clone()
    parametrize.remove_parametrizations(layer, "weight")
    assert torch.equal(layer.weight.detach(), before)
    assert type(layer) is nn.Linear


def test_spectral_norm_refuses_what_it_cannot_measure() -> None:
    with pytest.raises(ValueError, match=r"size=\(32, 32\)"):
        weights.spectral_norm(nn.Conv2d(1, 1, 3))
    with pytest.raises(TypeError, match="wanted a linear layer"):
        weights.spectral_norm(nn.ConvTranspose2d(1, 1, 3), size=(3, 3))
    with pytest.raises(ValueError, match="positive"):
        weights.spectral_norm(nn.Linear(2, 2), norm=0.0)


def test_compiles_without_breaks() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        weights.spectral_norm(nn.Conv2d(2, 2, 3, padding=1), size=(4, 4)),
        weights.centred_weight_norm(nn.Conv2d(2, 2, 1)),
        weights.equalised_learning_rate(nn.Conv2d(2, 2, 1)),
    ).eval()
    x = torch.randn(2, 2, 4, 4)
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), net(x))
