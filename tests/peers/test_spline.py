"""Spline couplings against nflows, and against normflows, which wraps them; with the peer's own weights."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softmax, softplus

from peers.compare import from_nflows, from_normflows, randomise
from peers.spline_nets import LEAST, Net, fractions
from preimage import Chain
from preimage.functional.splines import Cubic, Knots, Linear, Quadratic, RationalQuadratic
from preimage.layers import (
    Coupling,
    CustomSplineMap,
    KnotRule,
    LearnedMap,
    SoftmaxKnots,
)

MASK = torch.tensor([True, False, True, False, False])

pytestmark = pytest.mark.filterwarnings("ignore:Inputs to the softmax are not scaled down")


class LinearKnots(KnotRule):
    """Bins of equal width, as in nflows."""

    def knots(self, raw: Tensor) -> Knots:
        widths = torch.full_like(raw, 1 / self.bins)
        return self.box(widths, softmax(raw, -1), torch.ones_like(pad(raw, (0, 1))))


class QuadraticKnots(KnotRule):
    """The heights of the density, its ends meant to give 1, as in nflows."""

    def knots(self, raw: Tensor) -> Knots:
        widths, inner = fractions(raw[..., : self.bins]), softplus(raw[..., self.bins :]) + 1e-3
        first, last = widths[..., 0] / 2, widths[..., -1] / 2
        area = (inner[..., 1:] + inner[..., :-1]) / 2 * widths[..., 1:-1]
        total = first * inner[..., 0] / 2 + last * inner[..., -1] / 2 + area.sum(-1)
        constant = (total / (1 - first / 2 - last / 2))[..., None]
        density = torch.cat([constant, inner, constant], -1)
        density = density / ((density[..., 1:] + density[..., :-1]) / 2 * widths).sum(-1, keepdim=True)
        density = LEAST + (1 - LEAST) * density
        return self.box(widths, widths * (density[..., 1:] + density[..., :-1]) / 2, density)


class CubicKnots(KnotRule):
    """Steffen's slopes, as in nflows."""

    def knots(self, raw: Tensor) -> Knots:
        w, h = (fractions(part) for part in raw[..., : 2 * self.bins].chunk(2, -1))
        s = h / w
        mean = (w[..., 1:] * s[..., :-1] + w[..., :-1] * s[..., 1:]) / (w[..., :-1] + w[..., 1:]) / 2
        inner = 2 * torch.minimum(torch.minimum(s[..., :-1], s[..., 1:]), mean)
        ends = 3 * raw[..., -2:].sigmoid() * torch.stack([s[..., 0], s[..., -1]], -1)
        return self.box(w, h, torch.cat([ends[..., :1], inner, ends[..., 1:]], -1))


NFLOWS = {
    "PiecewiseRationalQuadraticCouplingTransform": CustomSplineMap(RationalQuadratic(), SoftmaxKnots(6, 2.0)),
    "PiecewiseLinearCouplingTransform": CustomSplineMap(Linear(), LinearKnots(6, 2.0, count=6)),
    "PiecewiseQuadraticCouplingTransform": CustomSplineMap(Quadratic(), QuadraticKnots(6, 2.0, count=11)),
    "PiecewiseCubicCouplingTransform": CustomSplineMap(Cubic(), CubicKnots(6, 2.0, count=14)),
}
JUMPS = ("PiecewiseQuadraticCouplingTransform", "PiecewiseCubicCouplingTransform")
"""Beyond the box theirs have slope 1, whatever the slope at its ends; ours go on with that."""

TOLERANCES = {
    "PiecewiseLinearCouplingTransform": 1e-3,  # on the way back theirs moves the last knot by 1e-6
    "PiecewiseCubicCouplingTransform": 1e-9,  # arccosines and cubic roots
}


@pytest.mark.parametrize("name", NFLOWS)
def test_nflows_couplings(agree, name: str) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = getattr(transforms, name)((~MASK).int(), Net, num_bins=6, tails="linear", tail_bound=2.0)
    ours = Coupling(MASK, peer.transform_net, NFLOWS[name])
    x = torch.randn(40, 5)
    if name in JUMPS:
        x = x.clamp(-1.9, 1.9)
    label = f"Coupling, {type(NFLOWS[name].curve).__name__}"
    agree(ours, from_nflows(peer), x, layer=label, tolerance=TOLERANCES.get(name, 1e-10))


def test_nflows_pictures(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    name = "PiecewiseRationalQuadraticCouplingTransform"
    net = lambda a, b: Net(a, b, space=2)  # noqa: E731
    peer = getattr(transforms, name)((~MASK).int(), net, num_bins=6, tails="linear", tail_bound=2.0)
    ours = Coupling(MASK, peer.transform_net, NFLOWS[name])
    agree(
        ours, from_nflows(peer), torch.randn(3, 5, 4, 4), layer="Coupling, RationalQuadratic", tolerance=1e-10
    )


def test_nflows_elementwise(agree) -> None:
    transforms = pytest.importorskip("nflows.transforms.nonlinearities")
    peer = randomise(
        transforms.PiecewiseRationalQuadraticCDF((4,), num_bins=6, tails="linear", tail_bound=2.0), 1.0
    )
    ours = LearnedMap(NFLOWS["PiecewiseRationalQuadraticCouplingTransform"], 4)
    parts = [peer.unnormalized_widths, peer.unnormalized_heights, peer.unnormalized_derivatives]
    ours.raw.data = torch.cat(parts, -1).detach()
    agree(ours, from_nflows(peer), 2 * torch.randn(30, 4), tolerance=1e-10)


def _normflows_coupling(**settings):
    coupling = pytest.importorskip("normflows.flows.neural_spline.coupling")
    return coupling.PiecewiseRationalQuadraticCoupling(
        (~MASK).int(), Net, num_bins=6, apply_unconditional_transform=False, **settings
    )


def test_normflows_coupling(agree) -> None:
    peer = _normflows_coupling(tails="linear", tail_bound=2.0)
    ours = Coupling(MASK, peer.transform_net, NFLOWS["PiecewiseRationalQuadraticCouplingTransform"])
    agree(ours, from_nflows(peer), 2 * torch.randn(30, 5), tolerance=1e-10)


def test_normflows_wrapper_is_the_same_map(agree) -> None:
    """The whole layer: what stays goes through a spline of its own."""
    spline = pytest.importorskip("normflows.flows").CoupledRationalQuadraticSpline
    peer = randomise(spline(5, 1, 8, num_bins=6, tail_bound=2.0), 0.3).eval()
    inner = peer.prqct
    kept = inner.identity_features
    mask = torch.zeros(5, dtype=torch.bool)
    mask[kept] = True
    element_map = NFLOWS["PiecewiseRationalQuadraticCouplingTransform"]
    own = LearnedMap(element_map, len(kept))
    first = inner.unconditional_transform
    parts = [first.unnormalized_widths, first.unnormalized_heights, first.unnormalized_derivatives]
    own.raw.data = torch.cat(parts, -1).detach()
    net = _Scaled(inner.transform_net, 6)
    after = Coupling(~mask, _Constant(own.raw), element_map)  # moves what the coupling before it keeps
    agree(
        Chain(Coupling(mask, net, element_map), after),
        from_normflows(peer),
        1.5 * torch.randn(20, 5),
        tolerance=1e-9,
    )


class _Constant(nn.Module):
    """Parameters that depend on nothing."""

    def __init__(self, raw: Tensor) -> None:
        super().__init__()
        self.raw = raw

    def forward(self, x: Tensor) -> Tensor:
        return self.raw.flatten().expand(x.shape[0], -1)


class _Scaled(nn.Module):
    """Widths and heights divided by the root of the network's width, as nflows does for its own networks."""

    def __init__(self, net: nn.Module, bins: int) -> None:
        super().__init__()
        self.net, self.bins = net, bins

    def forward(self, x: Tensor) -> Tensor:
        out = self.net(x).unflatten(1, (-1, 3 * self.bins - 1))
        factor = torch.ones(out.shape[-1])
        factor[: 2 * self.bins] = 1 / math.sqrt(self.net.hidden_features)
        return (out * factor).flatten(1)
