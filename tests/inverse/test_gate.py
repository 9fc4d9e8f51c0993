"""Squeeze-and-excite gates are solved from the channel means; small nonlinear systems to the last digit."""

import pytest
import torch
from torch import nn

import preimage as pi
from preimage.inverse.solvers.nonlinear.dense_newton import dense_newton, jacobian_matrix


class SqueezeExcite(nn.Module):
    def __init__(self, channels, hidden, gate, *, pooled):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)
        self.gate, self.pooled = gate, pooled

    def forward(self, x):
        m = nn.functional.adaptive_avg_pool2d(x, 1) if self.pooled else x.mean((2, 3), keepdim=True)
        return x * self.gate(self.expand(nn.functional.silu(self.reduce(m))))


class EfficientChannelAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, x):
        m = self.conv(x.mean((2, 3)).unsqueeze(1)).sigmoid()
        return x * m.view(x.shape[0], -1, 1, 1)


GATES = {
    "squeeze-excite": lambda: SqueezeExcite(6, 3, torch.sigmoid, pooled=False),
    "pooled, hard sigmoid": lambda: SqueezeExcite(6, 3, nn.functional.hardsigmoid, pooled=True),
    "efficient channel attention": EfficientChannelAttention,
}


@pytest.mark.shows("0-6")
@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gates_are_solved_from_the_channel_means(name, dtype):
    torch.manual_seed(0)
    net = GATES[name]().to(dtype)
    x = torch.randn(3, 6, 5, 4, dtype=dtype)
    inverse = pi.invert(net, x)
    assert [region.kind for region in inverse.plan().regions] == ["gate"]
    outcome = inverse.run_plan(net(x).detach())
    answer = outcome.values[inverse.graph.inputs[0]]
    assert outcome.exact == 1.0
    assert ((answer - x).norm() / x.norm()).item() < (1e-4 if dtype == torch.float32 else 1e-9)
    assert outcome.certificate is not None
    assert outcome.certificate.ok


def test_a_gate_with_two_solutions_is_not_called_exact():
    class Steep(nn.Module):
        def forward(self, x):
            return x * (-4 * x.mean((2, 3), keepdim=True)).exp()

    net = Steep().double()
    x = torch.full((1, 1, 2, 2), 0.5).double()
    inverse = pi.invert(net, x)
    outcome = inverse.run_plan(net(x))
    answer = outcome.values[inverse.graph.inputs[0]]
    assert torch.allclose(net(answer), net(x))
    assert outcome.exact < 1.0  # m exp(-4 m) takes this value at m = 0.5 and at m = 0.1018...


def test_a_dead_gate_loses_its_channel():
    class Dead(nn.Module):
        def forward(self, x):
            return x * (x.mean((2, 3), keepdim=True) + 9).relu().mul(
                torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
            )

    x = torch.rand(1, 2, 3, 3).double()
    inverse = pi.invert(Dead(), x)
    assert inverse.run_plan(Dead()(x)).exact < 1.0


def test_a_spatial_gate_is_no_channel_gate():
    class Spatial(nn.Module):
        def forward(self, x):
            return x * x.mean(1, keepdim=True).sigmoid()

    inverse = pi.invert(Spatial(), torch.zeros(1, 2, 3, 3))
    assert [region.kind for region in inverse.plan().regions] == ["opaque"]


def test_dense_newton_reaches_rounding_where_one_over_the_condition_is_small():
    torch.manual_seed(0)
    matrix = torch.linalg.qr(torch.randn(40, 40, dtype=torch.float64)).Q
    matrix = matrix * torch.logspace(0, -4, 40, dtype=torch.float64)

    def f(x):
        return x @ matrix.T + 0.002 * (x @ matrix.T).sin()

    x = torch.randn(2, 40, dtype=torch.float64)
    found, certificate = dense_newton(f, f(x), torch.zeros_like(x), tolerance=1e-12)
    assert certificate.ok
    assert torch.allclose(found, x, atol=1e-6)
    want = torch.autograd.functional.jacobian(lambda v: f(v[None])[0], x[0])
    assert torch.allclose(jacobian_matrix(f, x[:1]), want)


def test_dense_newton_says_when_there_is_no_solution():
    _, certificate = dense_newton(
        lambda x: x.square(), torch.tensor([[-1.0], [4.0]]), torch.ones(2, 1), tolerance=1e-6
    )
    assert certificate.converged.tolist() == [False, True]
    assert certificate.message


@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
def test_dense_newton_solves_systems_of_any_shape(shape):
    torch.manual_seed(0)
    matrix = torch.randn(*shape, dtype=torch.float64)

    def f(x):
        return (x @ matrix.T).tanh() + x @ matrix.T

    x = torch.randn(3, shape[1], dtype=torch.float64)
    found, certificate = dense_newton(f, f(x), 0.5 * x, tolerance=1e-11)
    assert certificate.ok
    assert torch.allclose(f(found), f(x), atol=1e-9)
