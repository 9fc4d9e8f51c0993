"""What a clip at the end of a map hides of x, and solvers that look behind it."""

import pytest
import torch
from torch import Tensor, nn

import preimage as pi
from preimage.capture.interpret import evaluate
from preimage.inverse.equation import Equation, open_ended
from preimage.inverse.preimages.search.relay import relay
from preimage.inverse.rules import enclosed
from preimage.inverse.solvers.nonlinear.dual_newton import dual_newton
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.gauss_newton import gauss_newton


def narrow() -> Equation:
    """relu6(A x) with more unknowns than outputs, ``(N, 9) -> (N, 6)``."""
    matrix = torch.randn(6, 9, generator=torch.Generator().manual_seed(0)).double()
    return Equation(lambda x: x @ matrix.T, 0.0, 6.0)


def test_an_equation_is_its_inner_map_clipped():
    f, x = narrow(), 5 * torch.randn(8, 9).double()
    torch.testing.assert_close(f(x), f.inner(x).clamp(0, 6))
    assert (f(x) == 0).any()
    assert (f(x) == 6).any()


def test_the_misfit_vanishes_where_the_equation_holds_and_only_there():
    f = Equation(lambda x: x, 0.0, 6.0)
    y = torch.tensor([[0.0, 0.0, 0.0, 2.0, 2.0, 6.0, 6.0, 6.0]])
    value = torch.tensor([[-3.0, 1.0, 8.0, 2.0, -1.0, 9.0, 5.0, -2.0]])
    assert f.misfit(value, y).tolist() == [[0.0, 1.0, 8.0, 0.0, -3.0, 0.0, -1.0, -8.0]]


def test_a_single_sample_sees_outputs_beyond_the_bound():
    f, y = Equation(lambda x: x, 0.0), torch.tensor([[2.0, 0.0]])
    seen = f.seen_from(y)
    assert seen(torch.tensor([[-1.0, -1.0]])).tolist() == [[-1.0, 0.0]]
    assert seen(torch.tensor([[2.0, -1.0]])).tolist() == y.tolist()


def test_any_map_is_an_equation_without_bounds():
    f = Equation.of(torch.sin)
    x = torch.randn(3, 4)
    assert torch.equal(f(x), x.sin())
    assert torch.equal(f.misfit(f.inner(x), x), x.sin() - x)
    assert Equation.of(f) is f


SOLVERS = {"Gauss-Newton": gauss_newton, "dual Newton": dual_newton, "relay": relay}


@pytest.mark.parametrize("name", SOLVERS)
def test_dead_outputs_are_no_dead_end(name):
    f = narrow()
    y = f(torch.randn(20, 9, generator=torch.Generator().manual_seed(1)).double())
    start = -3 * torch.linalg.pinv(f.inner(torch.eye(9).double()).T) @ torch.ones(6, 1).double()
    start = start.T.expand(20, -1)  # everything is off
    effort = Effort(1e-8, 2000)
    x, certificate = SOLVERS[name](f.inner, y, start, effort=effort, misfit=f.misfit)
    assert certificate.ok
    torch.testing.assert_close(f(x), y, rtol=1e-6, atol=1e-6)
    assert not SOLVERS[name](f, y, start, effort=effort)[1].ok


class Block(nn.Module):
    """A residual block whose output is clipped, as those of residual networks are."""

    def __init__(self, clip: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 12))
        self.clip = clip

    def forward(self, x: Tensor) -> Tensor:
        return self.clip(x + 2 * self.body(x))


@pytest.mark.parametrize("clip", [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-0.5, 2.0)], ids=str)
def test_clipped_residual_blocks_are_solved(clip, monkeypatch):
    monkeypatch.setattr(enclosed, "PATH", 0)
    monkeypatch.setattr(enclosed, "RESTARTS", 0)
    torch.manual_seed(1)
    net = Block(clip).double()
    y = net(torch.randn(10, 12).double()).detach()
    found, certificate = pi.invert(net, torch.zeros(1, 12).double()).data_free(y)
    assert certificate.ok
    torch.testing.assert_close(net(found), y, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("outputs", [40, 700])
def test_solve_at_a_rectified_tap(outputs):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(30, 50), nn.Tanh(), nn.Linear(50, outputs), nn.ReLU()).double()
    x = torch.randn(6, 30).double()
    inverse = pi.invert(net, torch.zeros(1, 30).double())
    start = x + 0.5 * torch.randn(6, 30).double()
    found, certificate = inverse.solve(net(x).detach(), start=start, tol=1e-8, max_products=2000)
    assert certificate.ok
    torch.testing.assert_close(net(found), net(x), rtol=1e-5, atol=1e-6)


TAILS = {
    "clip": nn.ReLU(),
    "clip, then moved about": nn.Sequential(nn.ReLU6(), nn.Flatten(), nn.Unflatten(1, (2, 2, -1))),
    "clip, then pooled": nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Dropout().eval()),
    "pooled, then clipped": nn.Sequential(nn.AdaptiveMaxPool2d(2), nn.Hardtanh()),
    "no clip": nn.Tanh(),
    "clip behind something else": nn.Sequential(nn.ReLU(), nn.AvgPool2d(2)),
}


@pytest.mark.parametrize("name", TAILS)
def test_an_open_end_clipped_is_the_value_itself(name):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), TAILS[name]).double().eval()
    x = 4 * torch.randn(3, 2, 6, 6).double()
    graph = pi.invert(net, x).graph
    outputs, low, high = open_ended(graph, graph.outputs)
    known = {graph.inputs[0]: x}
    value = evaluate(graph, known, graph.outputs)[graph.outputs[0]]
    assert torch.equal(outputs(known).clamp(low, high).view_as(value), value)
    assert (low > -torch.inf) == ("no clip" not in name and "else" not in name)
    assert (low > -torch.inf) == bool(((outputs(known) < low) | (outputs(known) > high)).any())
