"""Residual, planar, radial and Sylvester maps and neural ODEs against the same maps elsewhere."""

import pytest
import torch
from torch import nn

from peers.compare import Peer, from_zuko, randomise
from preimage import Chain
from preimage.domains import Reals
from preimage.layers import (
    AssumedLipschitz,
    Bias,
    Extrapolation,
    NeuralODE,
    OrthogonalDirections,
    Planar,
    Radial,
    Residual,
    Sylvester,
    VelocityMLP,
)


def one_way(name, run):
    """A peer without an inverse of its own: ours must lead back, with minus its log_det."""
    kept = {}

    def forward(x, context):
        kept["x"], (y, kept["log_det"]) = x, run(x)
        return y, kept["log_det"]

    return Peer(name, forward, lambda y, context: (kept["x"], -kept["log_det"]))


def softplus_inverse(y):
    return y + torch.log(-torch.expm1(-y))


def set_planar(layer, u, w, b):
    """Give a planar layer this bent direction u."""
    along = (w * u).sum()
    free = softplus_inverse(1 + along)
    with torch.no_grad():
        layer.vectors.base.copy_(torch.cat([u + (free - along) * w / w.square().sum(), w, b.view(1)]))


def test_planar_of_normflows(agree):
    normflows = pytest.importorskip("normflows")
    theirs = normflows.flows.Planar((3,))
    ours = Planar(3)
    with torch.no_grad():
        theirs.b.add_(0.3)
        ours.vectors.base.copy_(torch.cat([theirs.u.flatten(), theirs.w.flatten(), theirs.b]))
    agree(ours, one_way("normflows Planar", theirs), torch.randn(6, 3))


def test_planar_of_torchflows(agree):
    """A sigmoid is a hyperbolic tangent of the half, moved up."""
    pytest.importorskip("torchflows")
    from torchflows.bijections.finite.residual.planar import Planar as Theirs

    theirs, planar, bias = Theirs((3,)), Planar(3), Bias(3)
    with torch.no_grad():
        theirs.u.copy_(0.5 * theirs.u)
        bias.shift.copy_(theirs.u / 2)
    set_planar(planar, theirs.u / 2, theirs.w / 2, theirs.b / 2)
    agree(Chain(planar, bias), one_way("torchflows Planar", theirs.inverse), torch.randn(6, 3))


def test_radial_of_normflows(agree):
    normflows = pytest.importorskip("normflows")
    theirs, ours = randomise(normflows.flows.Radial((4,))), Radial(4)
    with torch.no_grad():
        raw_alpha = softplus_inverse(theirs.alpha.abs())
        ours.vectors.base.copy_(torch.cat([theirs.z_0.flatten(), raw_alpha, theirs.beta]))
    agree(ours, one_way("normflows Radial", theirs), torch.randn(6, 4))


def test_sylvester_of_torchflows(agree):
    pytest.importorskip("torchflows")
    from torchflows.bijections.finite.residual.sylvester import IdentitySylvester

    theirs = IdentitySylvester((4,))
    directions = OrthogonalDirections(4, 2)
    ours, bias = Sylvester(directions), Bias(4)
    with torch.no_grad():
        directions.raw.copy_(torch.eye(4, 2))
        assert torch.equal(directions.matrix(), torch.eye(4, 2))
        outer, inner = theirs.r.compute_matrix(), theirs.r_tilde.compute_matrix()
        for raw, matrix in ((ours.raw_outer, outer / 2), (ours.raw_inner, inner / 2)):
            raw.copy_(matrix.triu(1) + torch.diag(matrix.diagonal().atanh()))
        ours.bias.copy_(theirs.b / 2)
        bias.shift[:2] = outer.sum(1) / 2
    agree(Chain(ours, bias), one_way("torchflows IdentitySylvester", theirs.inverse), torch.randn(6, 4))


def branch(features):
    net = nn.Sequential(nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, features))
    with torch.no_grad():
        for layer in (net[0], net[2]):
            layer.weight.mul_(0.8 / torch.linalg.matrix_norm(layer.weight, 2))
    return net


def test_residual_of_normflows(agree):
    """Its exact log_det, which exists in two dimensions; its inverse stops at 1e-5."""
    normflows = pytest.importorskip("normflows")
    net = branch(2)
    theirs = normflows.flows.Residual(net, brute_force=True, reduce_memory=False)
    ours = Residual(AssumedLipschitz(net, 0.64, Reals(2)))
    agree(ours, one_way("normflows Residual", theirs.inverse), torch.randn(6, 2))


@pytest.mark.parametrize("shape", [(4,), (2, 3, 3)])
def test_residual_of_freia(shape):
    """Values in both directions; its log_det is a random estimate."""
    pytest.importorskip("FrEIA")
    from FrEIA.modules import IResNetLayer

    theirs = IResNetLayer([shape], internal_size=6, spectral_norm_max=0.5)
    theirs.lipschitz_correction()
    ours = Residual(AssumedLipschitz(theirs.residual, 0.5, Reals(*shape)))
    x = torch.randn(3, *shape)
    (y,), _ = theirs([x], jac=False)
    torch.testing.assert_close(ours(x), y, atol=1e-12, rtol=1e-12)
    (back,), _ = theirs([y], rev=True, jac=False)
    torch.testing.assert_close(ours.inverse(y), back, atol=1e-12, rtol=1e-12)


def test_neural_ode_of_zuko(agree):
    zuko = pytest.importorskip("zuko")
    velocity = VelocityMLP(3, (8,))
    ours = NeuralODE(velocity, Reals(3), solver=Extrapolation(16))
    make = lambda context: zuko.transforms.FreeFormJacobianTransform(  # noqa: E731
        velocity, atol=1e-12, rtol=1e-11
    )
    agree(ours, from_zuko(make), torch.randn(4, 3), tolerance=1e-9)
