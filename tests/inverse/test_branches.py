"""Activations with two branches: both preimages, and the branch by consistency or by probability."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import preimage as pi
from preimage.capture import capture
from preimage.inverse.linear import Convolution, Dense
from preimage.inverse.planning.turning_points import turning_point
from preimage.inverse.solvers.saturated.branches import BranchedInverse

FUNCTIONS = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "mish": F.mish,
    "hardswish": F.hardswish,
}


class Activation(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def _point(name):
    return turning_point(capture(Activation(FUNCTIONS[name]), torch.zeros(1, 2)).nodes[-1])


@pytest.mark.shows("0-6")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_both_branches_are_preimages(name):
    point, function = _point(name), FUNCTIONS[name]
    grid = torch.linspace(-20, -1e-3, 20001, dtype=torch.float64)
    lowest, where = function(grid).min(0)
    assert point.lowest == pytest.approx(lowest.item(), abs=1e-6)
    assert point.turn == pytest.approx(grid[where].item(), abs=2e-3)
    right = torch.linspace(point.turn + 1e-3, 9, 999, dtype=torch.float64)
    end = -2.999 if name == "hardswish" else -4.0  # further left torch loses the digits of GELU
    left = torch.linspace(end, point.turn - 1e-3, 999, dtype=torch.float64)
    assert torch.allclose(point.upper(function(right)), right, atol=1e-9)
    assert torch.allclose(point.lower(function(left)), left, atol=1e-7)
    assert torch.allclose(point.value(left), function(left), atol=1e-14)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_expanding_maps_tell_the_branch_of_every_output(name):
    torch.manual_seed(0)
    weight = 2 * torch.randn(24, 8, dtype=torch.float64) / 8**0.5
    x = torch.randn(100, 8, dtype=torch.float64)
    z = x @ weight.T
    found = BranchedInverse(Dense(weight), _point(name))(FUNCTIONS[name](z))
    error = (found.x - x).norm(dim=1) / x.norm(dim=1)
    assert found.exact.double().mean() > 0.95
    assert (error[found.exact] < 1e-5).all()
    ambiguous = (z < 0) & (z > -3)
    wrong = (found.z - z).abs() > 0.01
    assert (wrong & ambiguous)[found.exact].double().mean() < 1e-3


def test_branches_of_overlapping_windows():
    torch.manual_seed(0)
    linear = Convolution(torch.randn(12, 2, 3, 3, dtype=torch.float64), (2, 9, 8), padding=1)
    x = torch.randn(1, 2, 9, 8, dtype=torch.float64)
    found = BranchedInverse(linear, _point("silu"))(F.silu(linear.apply(x)))
    assert torch.allclose(found.x, x, atol=1e-6)
    assert found.certificate.ok


def test_values_below_the_minimum_are_refused_by_the_certificate():
    weight = torch.randn(12, 3, dtype=torch.float64)
    y = F.silu(torch.randn(2, 3, dtype=torch.float64) @ weight.T)
    y[0, 0] = -0.4
    certificate = BranchedInverse(Dense(weight), _point("silu"))(y).certificate
    assert certificate.converged.tolist() == [False, True]
    assert certificate.domain_violation[0] == pytest.approx(0.4 - 0.27846454)


def test_too_few_rows_are_never_called_exact():
    torch.manual_seed(0)
    weight = torch.randn(9, 8, dtype=torch.float64)
    x = torch.randn(50, 8, dtype=torch.float64)
    found = BranchedInverse(Dense(weight), _point("gelu"))(F.gelu(x @ weight.T))
    error = (found.x - x).norm(dim=1) / x.norm(dim=1)
    assert (error > 1e-3).any()
    assert not (found.exact & (error > 1e-5)).any()


@pytest.mark.parametrize("activation", [nn.SiLU, nn.GELU, nn.Mish, nn.Hardswish])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_with_expanding_layers_is_inverted(activation, dtype):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 32), activation(), nn.Linear(32, 32)).to(dtype)
    x = torch.randn(20, 8, dtype=dtype)
    inverse = pi.invert(net, x)
    y = net(x).detach()
    answer, certificate = inverse.data_free(y)
    assert [region.kind for region in inverse.plan().regions] == ["affine", "turning"]
    assert ((answer - x).norm(dim=1) / x.norm(dim=1)).max() < (1e-3 if dtype == torch.float32 else 1e-8)
    assert certificate.residual.max() < (1e-4 if dtype == torch.float32 else 1e-8)


def test_probability_chooses_the_branch_where_nothing_else_can():
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(4)
    with torch.no_grad():
        norm.bias.copy_(torch.tensor([-4.0, -4.0, 2.0, 2.0]))
    net = nn.Sequential(nn.Linear(4, 4, bias=False), norm, nn.SiLU()).double().eval()
    with torch.no_grad():
        net[0].weight.copy_(torch.eye(4))
    x = torch.randn(300, 4).double()
    inverse = pi.invert(net, x)
    outcome = inverse.run_plan(net(x).detach())
    z = norm(x).detach()
    first = next(solved for region, solved in outcome.steps if region.kind == "silu")
    right = ((first.x - z).abs() < 1e-3).double().mean().item()
    upper = (z > -1.2785).double().mean().item()
    assert upper < 0.6
    assert right > 0.98
