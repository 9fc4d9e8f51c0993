"""The residual family beyond the laws: bounds that hold, inverses that are never silently wrong."""

import copy
import math
import pickle

import pytest
import torch
from lipschitz_networks import NETWORKS, loud
from torch import nn

from preimage.domains import Reals
from preimage.errors import NotConvergedError, NotSupportedError
from preimage.layers import (
    AndersonSolver,
    AssumedLipschitz,
    ConvexPotential,
    HouseholderDirections,
    InducedNorms,
    LipschitzConvNet,
    LipschitzMLP,
    NewtonSolver,
    OrthogonalDirections,
    Planar,
    ProximalConvNet,
    ProximalMLP,
    ProximalResidual,
    Radial,
    Recording,
    Residual,
    ReversedDirections,
    RussianRoulette,
    SolverBySize,
    Sylvester,
)

LAYERS = {
    **{
        name: ((lambda make=make: Residual(make())), shape)
        for name, (make, shape) in NETWORKS.items()
        if "proximal" not in name
    },
    **{
        name: ((lambda make=make: ProximalResidual(make())), shape)
        for name, (make, shape) in NETWORKS.items()
        if "proximal" in name
    },
    "fixed points": (lambda: Residual(LipschitzMLP(4, (16,)), solver=AndersonSolver()), (4,)),
    "convex potential": (lambda: ConvexPotential(4, (8, 8)), (4,)),
    "convex potential, gradient steps": (lambda: ConvexPotential(4, (8,), solver=AndersonSolver()), (4,)),
    "planar": (lambda: Planar(4), (4,)),
    "radial": (lambda: Radial(4), (4,)),
    "sylvester": (lambda: Sylvester(OrthogonalDirections(4, 3)), (4,)),
    "sylvester, householder": (lambda: Sylvester(HouseholderDirections(4)), (4,)),
    "sylvester, triangular": (lambda: Sylvester(ReversedDirections(4)), (4,)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_inverse_is_silently_wrong(name, dtype):
    """Ordinary and loud weights, inputs up to 1e6: what is certified is right."""
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    for factor, scale in ((1.0, 1.0), (1.0, 1e6), (5.0, 1e6)):
        layer = loud(make(), factor).to(dtype)
        x = scale * torch.randn(3, *shape, dtype=dtype)
        with torch.no_grad():
            y = layer(x)
            back, certificate = layer.certified_inverse(y, on_error="nan")
            plain = layer.inverse(y)
            again = layer(plain)
        finite = plain.flatten(1).isfinite().all(1)
        allowed = 2e3 * torch.finfo(dtype).eps * (1 + y.abs().max() + x.abs().max())
        assert ((again - y)[finite].abs() <= allowed).all()
        assert torch.equal(back.isnan().flatten(1).any(1), ~certificate.converged)
        assert factor > 1 or certificate.ok, certificate.message


class TanhMinusIdentity(nn.Module):
    def forward(self, x):
        return x.tanh() - x


def test_a_false_promise_is_not_certified():
    """A branch that is called a contraction and is none: values are NaN or right."""
    torch.manual_seed(0)
    branch = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    loud(branch, 4.0)
    for solver in (NewtonSolver(), AndersonSolver()):
        layer = Residual(AssumedLipschitz(branch, 0.9, Reals(3)), solver=solver).double()
        y = 3 * torch.randn(50, 3, dtype=torch.float64)
        with torch.no_grad():
            x = layer.inverse(y)
            solved = x.isfinite().all(1)
            torch.testing.assert_close(layer(x[solved]), y[solved], atol=1e-10, rtol=0)
    hidden_tanh = nn.Sequential(TanhMinusIdentity())  # x + g(x) = tanh(x)
    with pytest.raises(NotConvergedError):
        Residual(AssumedLipschitz(hidden_tanh, 0.9)).certified_inverse(torch.full((1, 2), 5.0))


@pytest.mark.shows("0-11")
def test_plain_fixed_point_steps_contract_at_the_rate_of_the_bound():
    torch.manual_seed(0)
    layer = Residual(loud(LipschitzMLP(4, (16,), bound=0.8))).double()
    truth = torch.randn(8, 4, dtype=torch.float64)
    with torch.no_grad():
        y, x, errors = layer(truth), torch.zeros_like(truth), []
        for _ in range(40):
            x = y - layer.network(x)
            errors.append((x - truth).norm(dim=1))
        ratios = torch.stack(errors[1:20]) / torch.stack(errors[:19])
        assert (ratios <= 0.8 + 1e-9).all()
        assert (ratios > 0.01).all()
        torch.testing.assert_close(layer.inverse(y), truth, atol=1e-13, rtol=0)


def test_both_solvers_agree_in_values_and_gradients():
    torch.manual_seed(0)
    network = loud(LipschitzMLP(4, (16,), context=2), 3.0).double()
    y = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    context = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    found = {}
    for name, solver in {"newton": NewtonSolver(), "anderson": AndersonSolver()}.items():
        layer = Residual(network, solver=solver)
        x, log_det = layer.inverse_and_log_det(y, context)
        wanted = (y, context, *network.parameters())
        found[name] = (x, log_det, *torch.autograd.grad(x.sin().sum() + log_det.sum(), wanted))
    for a, b in zip(found["newton"], found["anderson"], strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)


def test_second_derivatives_of_fixed_points_are_refused():
    layer = Residual(LipschitzMLP(2, (4,)), solver=AndersonSolver()).double()
    y = torch.randn(1, 2, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(layer.inverse(y).sum(), y, create_graph=True)
    with pytest.raises(NotSupportedError, match="NewtonSolver"):
        torch.autograd.grad(first.sum(), y)


def test_large_events_need_no_jacobian():
    torch.manual_seed(0)
    layer = Residual(LipschitzConvNet(3, (8,)), log_det=RussianRoulette(2))
    assert isinstance(layer.solver, SolverBySize)
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        y, _ = layer.forward_and_log_det(x)
        back, _ = layer.inverse_and_log_det(y)
    torch.testing.assert_close(back, x, atol=1e-5, rtol=1e-4)


def test_the_same_layer_on_pictures_of_every_size():
    layer = Residual(loud(LipschitzConvNet(1, (4,)))).double()
    for size in ((3, 3), (5, 2), (8, 8)):
        x = torch.randn(2, 1, *size, dtype=torch.float64)
        torch.testing.assert_close(layer.inverse(layer(x)), x)


def test_estimates_are_recorded_and_returned():
    torch.manual_seed(0)
    layer = Residual(LipschitzMLP(3, (8,)), log_det=RussianRoulette(64)).double()
    exact = Residual(layer.network)
    x = torch.randn(5, 3, dtype=torch.float64)
    with Recording() as recording:
        _, log_det = layer.forward_and_log_det(x)
    error = recording.forward.values["log_det standard error"][0]
    assert ((log_det - exact.forward_and_log_det(x)[1]).abs() < 6 * error + 1e-12).all()
    found = layer.estimate_log_det(x)
    assert found.probes == 64
    assert found.standard_error.shape == (5,)
    assert torch.equal(recording.forward.values["log_det bias bound"][0], torch.zeros(5, dtype=torch.float64))


def test_layers_with_generators_are_copied_and_pickled():
    layer = Residual(
        LipschitzMLP(2, (4,)), log_det=RussianRoulette(2, generator=torch.Generator().manual_seed(3))
    )
    x = torch.randn(3, 2)
    copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    wanted = layer.forward_and_log_det(x)[1]
    for other in copies:
        assert torch.equal(other.forward_and_log_det(x)[1], wanted)


def test_training_by_roulette_raises_the_likelihood():
    torch.manual_seed(0)
    data = torch.randn(256, 2) @ torch.tensor([[1.0, 0.6], [0.0, 0.4]])
    layer = Residual(LipschitzMLP(2, (16, 16)), log_det=RussianRoulette())
    optimiser = torch.optim.Adam(layer.parameters(), 1e-2)

    def loss(model):
        y, log_det = model.forward_and_log_det(data)
        return (0.5 * y.square().sum(1) - log_det).mean()

    with torch.no_grad():
        before = loss(Residual(layer.network))
    for _ in range(60):
        optimiser.zero_grad()
        loss(layer).backward()
        optimiser.step()
    with torch.no_grad():
        assert loss(Residual(layer.network)) < before - 0.15


def test_a_proximal_layer_is_stronger_than_any_contraction():
    """Log-dets beyond D log 2, which no map x + g(x) with a contraction g can have."""
    torch.manual_seed(0)
    layer = ProximalResidual(ProximalMLP(3, (32,), strength=50.0, activation=nn.ReLU)).double()
    with torch.no_grad():
        layer.residual.network.weights[0].copy_(5 * torch.eye(32, 3))
        layer.residual.network.biases[0].fill_(10)
    x = torch.randn(4, 3, dtype=torch.float64)
    y, log_det = layer.forward_and_log_det(x)
    assert (log_det > 3 * math.log(20)).all()
    torch.testing.assert_close(layer.inverse(y), x)
    torch.testing.assert_close(y, x + 50 * layer.residual.network.prepare_phi(None)(x))


def test_a_convex_potential_is_the_gradient_of_its_function():
    """The Jacobian is symmetric and at least alpha."""
    torch.manual_seed(0)
    layer = loud(ConvexPotential(5, (8, 8, 8), context=2), 2.0).double()
    x, context = torch.randn(4, 5, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    alpha = nn.functional.softplus(layer.raw_alpha)
    for row, c in zip(x, context, strict=True):
        matrix = torch.autograd.functional.jacobian(lambda v: layer(v[None], c[None])[0], row)  # noqa: B023
        torch.testing.assert_close(matrix, matrix.T)
        assert (torch.linalg.eigvalsh(matrix) >= alpha * (1 - 1e-12)).all()
        assert torch.linalg.eigvalsh(matrix)[-1] <= 2 / layer._rate() - alpha


@pytest.mark.parametrize(
    "make",
    [
        lambda: Residual(LipschitzMLP(2, bound=1.0)),
        lambda: LipschitzMLP(2, bound=0.0),
        lambda: LipschitzConvNet(2, kernel_size=4),
        lambda: LipschitzConvNet(2, dims=4),
        lambda: InducedNorms([1.0]),
        lambda: ProximalMLP(2, (4, 4), strength=3.0),
        lambda: ProximalMLP(2, strength=0.0),
        lambda: ProximalConvNet(2, kernel_size=2),
        lambda: Planar(0),
        lambda: ConvexPotential(()),
        lambda: OrthogonalDirections(2, 3),
        lambda: HouseholderDirections(2, 0),
    ],
)
def test_wrong_settings(make):
    with pytest.raises(ValueError, match=r"wanted|got"):
        make()
