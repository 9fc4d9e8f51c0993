"""Continuous flows: against matrix exponentials, scipy and finer solvers."""

import itertools
import math
import sys

import pytest
import torch
from scipy.integrate import solve_ivp
from torch import nn

from preimage.domains import Reals
from preimage.errors import MissingExtraError, NotConvergedError
from preimage.layers import (
    AdaptiveSolver,
    AdjointSolver,
    ExactTrace,
    Extrapolation,
    HamiltonJacobi,
    HutchinsonTrace,
    JacobianNorm,
    KineticEnergy,
    NeuralODE,
    PotentialVelocity,
    Recording,
    RungeKutta,
    VelocityConvNet,
    VelocityMLP,
)

MATRIX = torch.tensor([[0.3, -1.0, 0.2], [0.7, 0.1, 0.0], [-0.4, 0.5, -0.6]], dtype=torch.float64)


class Linear(nn.Module):
    """The velocity A x, whose flow is exp(A T) x."""

    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(MATRIX.clone())

    def forward(self, time, x):
        return x @ self.matrix.T


FIXED = {"extrapolation": Extrapolation(4), "runge-kutta": RungeKutta(64)}


@pytest.mark.parametrize("name", FIXED)
def test_linear_flows_are_matrix_exponentials(name):
    flow = NeuralODE(Linear(), Reals(3), solver=FIXED[name], duration=1.5)
    x = torch.randn(4, 3, dtype=torch.float64)
    y, log_det = flow.forward_and_log_det(x)
    torch.testing.assert_close(y, x @ torch.linalg.matrix_exp(1.5 * MATRIX).T, atol=1e-7, rtol=1e-7)
    torch.testing.assert_close(log_det, torch.full_like(log_det, 1.5 * MATRIX.trace().item()))
    torch.testing.assert_close(flow.inverse(y), x, atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("make", [RungeKutta, lambda steps: Extrapolation(steps, order=4)])
def test_order_four(make):
    field = lambda t, y: torch.cos(3 * t) * y.sin() + 0.2  # noqa: E731
    y = torch.ones(1, 1, dtype=torch.float64)
    truth = Extrapolation(200).solve(field, y, 0.0, 1.0)
    errors = [(make(steps).solve(field, y, 0.0, 1.0) - truth).abs().item() for steps in (8, 16, 32)]
    for coarse, fine in itertools.pairwise(errors):
        assert 12 < coarse / fine < 32


def test_order_eight():
    field = lambda t, y: torch.cos(3 * t) * y.sin() + 0.2  # noqa: E731
    y = torch.ones(1, 1, dtype=torch.float64)
    truth = Extrapolation(100).solve(field, y, 0.0, 1.0)
    errors = [(Extrapolation(steps).solve(field, y, 0.0, 1.0) - truth).abs().item() for steps in (2, 4)]
    assert errors[0] / errors[1] > 150
    backwards = Extrapolation(20).solve(field, truth, 1.0, 0.0)
    torch.testing.assert_close(backwards, y, atol=1e-12, rtol=0)


def test_against_scipy():
    torch.manual_seed(0)
    velocity = VelocityMLP(2, (8,)).double()
    x = torch.randn(3, 2, dtype=torch.float64)
    y = NeuralODE(velocity, Reals(2))(x).detach()

    def right_hand_side(t, place):
        with torch.no_grad():
            return velocity(torch.tensor(t, dtype=torch.float64), torch.from_numpy(place)[None])[0].numpy()

    for row, found in zip(x, y, strict=True):
        wanted = solve_ivp(right_hand_side, (0, 1), row.numpy(), rtol=1e-11, atol=1e-12).y[:, -1]
        torch.testing.assert_close(found, torch.from_numpy(wanted), atol=1e-9, rtol=1e-9)


def test_densities_add_up_to_one():
    """The flow's density over a grid, for a latent normal."""
    torch.manual_seed(0)
    flow = NeuralODE(VelocityMLP(1, (16,)), Reals(1)).double()
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    with torch.no_grad():
        y, log_det = flow.forward_and_log_det(grid[:, None])
    density = (log_det - 0.5 * y[:, 0] ** 2 - 0.5 * math.log(2 * math.pi)).exp()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-5)


def test_hutchinson_is_unbiased_with_an_honest_error():
    torch.manual_seed(0)
    velocity = VelocityMLP(5, (8,)).double()
    x = torch.randn(6, 5, dtype=torch.float64)
    solver = RungeKutta(4)
    noisy = NeuralODE(
        velocity, Reals(5), trace=HutchinsonTrace(500, torch.Generator().manual_seed(0)), solver=solver
    )
    with torch.no_grad(), Recording() as recording:
        truth = NeuralODE(velocity, Reals(5), solver=solver).forward_and_log_det(x)[1]
        y, log_det = noisy.forward_and_log_det(x)
        back = noisy.inverse_and_log_det(y)[1]
    error = recording.forward.values["log_det standard error"][0]
    assert (error < 0.1).all()
    assert ((log_det - truth).abs() < 4.5 * error).all()
    assert ((back + truth).abs() < 5 * error).all()


def test_penalties_are_integrals_along_the_path():
    """Of a linear velocity: the norm of the Jacobian is constant, the energy has a closed form."""
    flow = NeuralODE(Linear(), Reals(3), penalties=[KineticEnergy(), JacobianNorm()], duration=0.5)
    x = torch.randn(4, 3, dtype=torch.float64)
    with Recording() as recording:
        y, _ = flow.forward_and_log_det(x)
        flow.inverse_and_log_det(y)
    times = torch.linspace(0, 0.5, 2001, dtype=torch.float64)
    paths = torch.stack([x @ torch.linalg.matrix_exp(t * MATRIX).T @ MATRIX.T for t in times])
    energy = torch.trapezoid(paths.square().sum(2), times, dim=0)
    for losses in (recording.forward.losses, recording.inverse.losses):
        torch.testing.assert_close(losses["kinetic energy"][0], energy, atol=1e-6, rtol=1e-6)
        wanted = (0.5 * MATRIX.square().sum()).expand(4)
        torch.testing.assert_close(losses["jacobian norm"][0], wanted)


def test_random_probes_estimate_the_norm_of_the_jacobian():
    flow = NeuralODE(
        Linear(), Reals(3), penalties=[JacobianNorm()], trace=HutchinsonTrace(20_000), solver=RungeKutta(1)
    )
    with torch.no_grad(), Recording() as recording:
        flow.forward_and_log_det(torch.zeros(1, 3, dtype=torch.float64))
    norm = recording.forward.losses["jacobian norm"][0].item()
    assert norm == pytest.approx(MATRIX.square().sum().item(), rel=0.03)


def test_the_potential_is_what_its_velocity_descends():
    """Without curl; and the derivative by time is that of the potential, by integrating along a loop."""
    torch.manual_seed(0)
    velocity = PotentialVelocity(3, 6).double()
    time, x = torch.tensor(0.3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)

    def gradient(s):
        return velocity.gradient(s[-1], s[None, :-1])[0]

    hessian = torch.autograd.functional.jacobian(gradient, torch.cat([x, time[None]]))
    torch.testing.assert_close(hessian, hessian.T)
    torch.testing.assert_close(velocity(time, x[None])[0], -gradient(torch.cat([x, time[None]]))[:-1])


def test_the_hamilton_jacobi_penalty_vanishes_for_straight_motion():
    """For b constant, the potential -(b x - |b|^2 t / 2) moves everything along b at speed |b|."""
    velocity = PotentialVelocity(2, 4).double()
    with torch.no_grad():
        for parameter in velocity.parameters():
            parameter.zero_()
        b = torch.tensor([0.6, -0.8], dtype=torch.float64)
        velocity.linear[:2], velocity.linear[2] = -b, 0.5
    penalties = [HamiltonJacobi(velocity), KineticEnergy()]
    flow = NeuralODE(velocity, Reals(2), penalties=penalties, solver=RungeKutta(2))
    x = torch.randn(3, 2, dtype=torch.float64)
    with Recording() as recording:
        y, log_det = flow.forward_and_log_det(x)
    torch.testing.assert_close(y, x + b)
    torch.testing.assert_close(recording.forward.losses["hamilton-jacobi"][0], torch.zeros_like(log_det))
    torch.testing.assert_close(recording.forward.losses["kinetic energy"][0], torch.ones_like(log_det))


def test_the_certificate_of_a_coarse_solver():
    torch.manual_seed(0)
    velocity = VelocityMLP(2, (16,)).double()
    with torch.no_grad():
        for parameter in velocity.parameters():
            parameter.mul_(3)
    x = torch.randn(5, 2, dtype=torch.float64)
    coarse = NeuralODE(velocity, Reals(2), solver=RungeKutta(2))
    fine = NeuralODE(velocity, Reals(2), solver=Extrapolation(16))
    with pytest.raises(NotConvergedError):
        coarse.certified_forward(x)
    y, certificate = coarse.certified_forward(x, on_error="nan")
    assert not certificate.converged.any()
    assert y.isnan().all()
    y, certificate = fine.certified_forward(x)
    assert certificate.ok
    assert fine.certified_inverse(y)[1].ok
    with pytest.raises(NotConvergedError):
        coarse.certified_inverse(coarse(x))


def test_velocities_of_signals_and_pictures():
    torch.manual_seed(0)
    for dims, shape in ((1, (2, 4)), (2, (2, 3, 3))):
        velocity = VelocityConvNet(2, (4,), dims=dims, context=3).double()
        flow = NeuralODE(velocity, Reals(2, *[None] * dims), context_domain=Reals(3))
        x, context = torch.randn(2, *shape, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
        torch.testing.assert_close(flow.inverse(flow(x, context), context), x, atol=1e-7, rtol=0)
    with pytest.raises(ValueError, match="odd kernel"):
        VelocityConvNet(2, kernel_size=2)


@pytest.mark.parametrize("solver", [AdaptiveSolver, AdjointSolver])
def test_adaptive_solvers(solver):
    pytest.importorskip("torchdiffeq")
    torch.manual_seed(0)
    velocity = VelocityMLP(2, (8,), context=1).double()
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    context = torch.randn(3, 1, dtype=torch.float64, requires_grad=True)
    gradients = []
    for one in (Extrapolation(8), solver(rtol=1e-9, atol=1e-10)):
        flow = NeuralODE(velocity, Reals(2), context_domain=Reals(1), solver=one)
        y, log_det = flow.forward_and_log_det(x, context)
        back, back_log_det = flow.inverse_and_log_det(y, context)
        torch.testing.assert_close(back, x, atol=1e-7, rtol=0)
        torch.testing.assert_close(back_log_det, -log_det, atol=1e-7, rtol=0)
        wanted = (x, context, *velocity.parameters())
        gradients.append(torch.autograd.grad(y.sin().sum() + log_det.sum(), wanted))
    for found, truth in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(found, truth, atol=1e-6, rtol=1e-6)
    assert flow(torch.zeros(0, 2, dtype=torch.float64), torch.zeros(0, 1, dtype=torch.float64)).shape == (
        0,
        2,
    )
    assert flow.certified_forward(x, context, tolerance=1e-6)[1].ok


def test_adaptive_solvers_keep_their_tolerance_in_every_row():
    """One wild row among many tame ones."""
    pytest.importorskip("torchdiffeq")

    class Whirl(nn.Module):
        def forward(self, time, x):
            return torch.stack([-x[:, 1], x[:, 0]], 1) * x.square().sum(1, keepdim=True)

    x = torch.cat([torch.full((1, 2), 4.0), torch.full((500, 2), 1e-3)]).double()
    flow = NeuralODE(Whirl(), Reals(2), solver=AdaptiveSolver(rtol=1e-6, atol=1e-6))
    angle = x.square().sum(1)
    wanted = torch.stack(
        [x[:, 0] * angle.cos() - x[:, 1] * angle.sin(), x[:, 0] * angle.sin() + x[:, 1] * angle.cos()], 1
    )
    torch.testing.assert_close(flow(x), wanted, atol=1e-3, rtol=0)


def test_what_explodes_is_an_error():
    pytest.importorskip("torchdiffeq")

    class Explosion(nn.Module):
        def forward(self, time, x):
            return x**3

    with pytest.raises(NotConvergedError, match="stiff"):
        NeuralODE(Explosion(), Reals(1), solver=AdaptiveSolver())(torch.full((1, 1), 5.0))


def test_without_torchdiffeq(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    with pytest.raises(MissingExtraError, match="preimage\\[ode\\]"):
        NeuralODE(Linear(), Reals(3), solver=AdaptiveSolver())(torch.zeros(1, 3, dtype=torch.float64))


@pytest.mark.parametrize(
    "make",
    [
        lambda: NeuralODE(Linear(), Reals(3), duration=0.0),
        lambda: RungeKutta(0),
        lambda: Extrapolation(0),
        lambda: Extrapolation(order=3),
        lambda: HutchinsonTrace(0),
        lambda: AdaptiveSolver(atol=0.0),
    ],
)
def test_wrong_settings(make):
    with pytest.raises(ValueError, match="wanted"):
        make()


def test_exact_trace_of_one_dimension_and_of_nothing():
    flow = NeuralODE(VelocityMLP(1, (4,)), Reals(1), trace=ExactTrace())
    assert flow.forward_and_log_det(torch.zeros(0, 1))[1].shape == (0,)
    assert flow.forward_and_log_det(torch.zeros(2, 1))[1].shape == (2,)
