"""The residual family beyond the laws: bounds that hold, inverses that are never silently wrong."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn

from preimage.domains import Reals
from preimage.errors import NotConvergedError, NotSupportedError
from preimage.layers import (
    AndersonSolver,
    AssumedLipschitz,
    ConcatenatedLipSwish,
    ConvexPotential,
    HouseholderDirections,
    InducedNorms,
    LipschitzConvNet,
    LipschitzDenseConvNet,
    LipschitzDenseMLP,
    LipschitzMLP,
    LipSwish,
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

NETWORKS = {
    "mlp": (lambda: LipschitzMLP(4, (16, 16)), (4,)),
    "mlp, both sides": (lambda: LipschitzMLP(4, (16,), activation=ConcatenatedLipSwish), (4,)),
    "convolutions": (lambda: LipschitzConvNet(2, (6,)), (2, 3, 2)),
    "convolutions, induced norm": (lambda: LipschitzConvNet(2, (6,), norms=InducedNorms([2.0])), (2, 3, 2)),
    "dense": (lambda: LipschitzDenseMLP(4, (6, 6)), (4,)),
    "dense convolutions": (lambda: LipschitzDenseConvNet(2, (4, 4), dims=1), (2, 4)),
    "proximal, one block": (lambda: ProximalMLP(4, (16,), strength=20.0), (4,)),
    "proximal, three blocks": (lambda: ProximalMLP(4, (16, 5, 16), strength=1.9), (4,)),
    "proximal convolutions": (lambda: ProximalConvNet(2, (4,), strength=5.0), (2, 3, 2)),
}


def loud(module: nn.Module, factor: float = 30.0) -> nn.Module:
    """Weights far above every bound, as after a bad step of training."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(factor)
    return module


def jacobians(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    flat = lambda v: network(v.view(1, *x.shape[1:])).flatten()  # noqa: E731
    return torch.stack([torch.autograd.functional.jacobian(flat, row.flatten()) for row in x])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("factor", [1.0, 30.0])
def test_the_bound_holds(name, factor):
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    network = loud(make(), factor).double()
    x = 2 * torch.randn(6, *shape, dtype=torch.float64)
    assert (torch.linalg.matrix_norm(jacobians(network, x), 2) <= network.bound).all()
    assert network.bound < 1


@pytest.mark.parametrize("p", [1.5, 4.0])
def test_the_bound_holds_in_other_norms(p):
    torch.manual_seed(0)
    network = LipschitzMLP(4, (16, 8), norms=InducedNorms([p, 3.0, p])).double()
    loud(network.layers)
    a, b = (torch.randn(500, 4, dtype=torch.float64) for _ in range(2))
    order = network.norms.order(0).item()
    assert order == pytest.approx(p)
    ratio = (network(a) - network(b)).norm(p, dim=1) / (a - b).norm(p, dim=1)
    assert (ratio <= network.bound).all()


def test_activations_stretch_nothing():
    x = torch.linspace(-30, 30, 200_001, dtype=torch.float64)[:, None].requires_grad_()
    for activation in (LipSwish(), LipSwish(3.0), ConcatenatedLipSwish(), ConcatenatedLipSwish(-2.0)):
        y = activation.double()(x)
        slopes = torch.cat(
            [torch.autograd.grad(column.sum(), x, retain_graph=True)[0] for column in y.T], dim=1
        )
        steepest = slopes.norm(dim=1).max()
        assert 0.99 < steepest <= 1


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


@pytest.mark.parametrize("features", [1, 3])
def test_planar_with_any_direction(features):
    """Also where w^T u is far below -1: the bent direction keeps the map increasing."""
    torch.manual_seed(0)
    for scale in (0.1, 1.0, 10.0, 300.0):
        layer = Planar(features).double()
        with torch.no_grad():
            layer.vectors.base.normal_().mul_(scale)
        x = torch.randn(50, features, dtype=torch.float64)
        y, log_det = layer.forward_and_log_det(x)
        matrices = jacobians(layer, x)
        wanted = torch.linalg.det(matrices)
        assert (wanted >= 0).all()
        usable = wanted > 1e-6
        torch.testing.assert_close(log_det[usable], wanted[usable].log(), atol=1e-7, rtol=1e-6)
        back, certificate = layer.certified_inverse(y, on_error="nan")
        assert (back - x)[certificate.converged].abs().max() < 1e-5 if certificate.converged.any() else True


def test_planar_log_det_keeps_its_digits_where_the_map_is_almost_flat():
    """w^T u near -1 at the middle: 1 + h' w^T u would be rounded away."""
    layer = Planar(1).double()
    with torch.no_grad():
        layer.vectors.base.copy_(torch.tensor([-40.0, 1.0, 0.0]))
    _, log_det = layer.forward_and_log_det(torch.zeros(1, 1, dtype=torch.float64))
    torch.testing.assert_close(log_det, torch.tensor([-40.0], dtype=torch.float64))


def test_sylvester_finds_what_newton_misses():
    """Entries of 30 above the diagonal: one increasing equation after the other is solved."""
    torch.manual_seed(0)
    layer = Sylvester(ReversedDirections(6)).double()
    with torch.no_grad():
        layer.raw_outer.normal_().mul_(30)
        layer.raw_inner.normal_().mul_(30)
        x = torch.randn(40, 6, dtype=torch.float64)
        y = layer(x)
        back = layer.inverse(y)
    assert back.isfinite().all()
    torch.testing.assert_close(layer(back), y, atol=1e-9, rtol=1e-12)


def test_sylvester_with_one_direction_is_planar_like():
    torch.manual_seed(0)
    layer = Sylvester(OrthogonalDirections(4, 1)).double()
    x = torch.randn(5, 4, dtype=torch.float64)
    moved = layer(x) - x
    assert torch.linalg.matrix_rank(moved) == 1


@pytest.mark.parametrize("reflections", [1, 5])
def test_directions_are_orthonormal(reflections):
    for directions in (
        HouseholderDirections(5, reflections),
        OrthogonalDirections(5, 3),
        ReversedDirections(5),
    ):
        q = directions.double().matrix()
        torch.testing.assert_close(q.T @ q, torch.eye(q.shape[1], dtype=torch.float64))


def test_radial_at_its_centre_and_on_both_sides():
    layer = Radial(3).double()
    centre = layer.vectors.base[:3].detach()[None]
    x = torch.cat([centre, centre + 1e-9, centre + 1e9])
    y, log_det = layer.forward_and_log_det(x)
    assert log_det.isfinite().all()
    torch.testing.assert_close(layer.inverse(y), x)
    torch.testing.assert_close(y[:1], centre)


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
