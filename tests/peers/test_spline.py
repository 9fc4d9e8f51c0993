"""Splines against every peer that has them, with the peer's own weights."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softmax, softplus

from peers.compare import Conditioner, Peer, from_freia, from_nflows, from_normflows, halves, randomise
from preimage import Chain
from preimage.functional.splines import Cubic, Knots, Linear, Quadratic, RationalQuadratic
from preimage.layers import (
    BernsteinMap,
    CircularSplineMap,
    ConditionalMap,
    Coupling,
    CustomSplineMap,
    ElementMap,
    GINCoupling,
    KnotRule,
    LearnedMap,
    SlicePartition,
    SoftmaxKnots,
    SumOfSquaresMap,
)

MASK = torch.tensor([True, False, True, False, False])
LEAST = 1e-3

pytestmark = pytest.mark.filterwarnings("ignore:Inputs to the softmax are not scaled down")


class Net(nn.Module):
    """Two layers, for vectors or pictures."""

    def __init__(self, features: int, outputs: int, *, space: int = 0) -> None:
        super().__init__()
        linear = nn.Linear if space == 0 else lambda a, b: nn.Conv2d(a, b, 3, padding=1)
        self.layers = nn.Sequential(linear(features, 7), nn.Tanh(), linear(7, outputs))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return 3 * self.layers(x)


def fractions(raw: Tensor) -> Tensor:
    return LEAST + (1 - LEAST * raw.shape[-1]) * softmax(raw, -1)


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


class CircularKnots(KnotRule):
    """Softmax knots with one slope at both ends, as in normflows."""

    def knots(self, raw: Tensor) -> Knots:
        widths, heights, slopes = raw.chunk(3, -1)
        slopes = LEAST + softplus(slopes)
        return self.box(fractions(widths), fractions(heights), torch.cat([slopes, slopes[..., :1]], -1))


class ShiftOfZero(nn.Module):
    """A network's outputs with the angle of a rotation behind every set, which is 0."""

    def __init__(self, net: nn.Module, count: int) -> None:
        super().__init__()
        self.net, self.count = net, count

    def forward(self, x: Tensor) -> Tensor:
        return pad(self.net(x).unflatten(1, (-1, self.count)), (0, 1)).flatten(1)


def test_normflows_circular_coupling(agree) -> None:
    peer = _normflows_coupling(tails="circular", tail_bound=math.pi)
    circle = CircularSplineMap(6)
    circle.knots = CircularKnots(6, math.pi, count=18)  # pyright: ignore[reportAttributeAccessIssue]
    ours = Coupling(MASK, ShiftOfZero(peer.transform_net, 18), circle)
    x = 2 * math.pi * (torch.rand(30, 5) - 0.5)
    agree(ours, from_nflows(peer), x, layer="Coupling, circular", tolerance=1e-10)


class SoftclipKnots(KnotRule):
    """Raw numbers softly clipped at half or all of log(slope), as in zuko."""

    def knots(self, raw: Tensor) -> Knots:
        widths, heights, slopes = raw.split([self.bins, self.bins, self.bins - 1], -1)
        size = math.log(1e-3)
        clip = lambda part, k: part / (1 + (k * part / size).abs())  # noqa: E731
        slopes = pad(clip(slopes, 1), (1, 1)).exp()
        return self.box(softmax(clip(widths, 2), -1), softmax(clip(heights, 2), -1), slopes)


def test_zuko_elementwise(agree) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    layer = LearnedMap(
        CustomSplineMap(RationalQuadratic(), SoftclipKnots(6, 5.0, count=17)), 3, deviation=2.0
    )
    parts = layer.raw.detach().split([6, 6, 5], -1)
    agree(layer, _zuko(transforms.MonotonicRQSTransform(*parts)), 3 * torch.randn(30, 3), tolerance=1e-10)


def _zuko(transform) -> Peer:
    run = lambda t: lambda x, _: (t(x), t.log_abs_det_jacobian(x, t(x)).sum(1))  # noqa: E731
    return Peer(f"zuko {type(transform).__name__}", run(transform), run(transform.inv))


def test_zuko_sum_of_squares(agree) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    layer = LearnedMap(SumOfSquaresMap(3, 4), 2, deviation=1.0)
    layer.raw.data[:, -1] = 0  # theirs has no shift
    peer = transforms.SOSPolynomialTransform(layer.raw.detach()[:, :-1].unflatten(-1, (3, 5)))
    peer.eps = 1e-14
    agree(layer, _zuko(peer), 3 * torch.randn(30, 2), tolerance=1e-10)


class _Coefficients(ElementMap):
    """A Bernstein polynomial from its coefficients: those of a peer."""

    def __init__(self, count: int, bound: float) -> None:
        super().__init__(count)
        self.inner = BernsteinMap(count, bound)
        self.inner._coefficients = lambda raw: raw  # pyright: ignore[reportAttributeAccessIssue]

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner.forward_elements(x, raw)

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner.inverse_elements(y, raw)


@pytest.mark.parametrize("name", ["BernsteinTransform", "BoundedBernsteinTransform"])
def test_zuko_bernstein(agree, name: str) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    peer = getattr(transforms, name)(torch.randn(3, 9))
    layer = LearnedMap(_Coefficients(peer.theta.shape[-1], 5.0), 3)
    layer.raw.data = peer.theta
    peer.bound, peer.eps = 5.0, 1e-14
    run = lambda x, _: (peer(x), peer.log_abs_det_jacobian(x, None).sum(1))  # noqa: E731

    def back(y: Tensor, _: object) -> tuple[Tensor, Tensor]:
        x = _bisect(peer, y)
        return x, -peer.log_abs_det_jacobian(x, None).sum(1)

    x = 4.9 * torch.tanh(torch.randn(30, 3))
    agree(layer, Peer(f"zuko {name}", run, back), x, layer="BernsteinMap", tolerance=1e-9)


def _bisect(peer, y: Tensor) -> Tensor:
    """Theirs divides the box of x by itself a second time."""
    low, high = torch.full_like(y, -5.0), torch.full_like(y, 5.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = peer.f(middle) < y
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


def test_torchflows_elements(agree) -> None:
    splines = pytest.importorskip(
        "torchflows.bijections.finite.autoregressive.transformers.spline.rational_quadratic"
    )
    peer = splines.RationalQuadratic((3,), boundary=3.0, n_bins=6)

    class TorchflowsKnots(KnotRule):
        def knots(self, raw: Tensor) -> Knots:
            widths, heights, slopes = raw.split([6, 6, 5], -1)
            start = peer.boundary_u_delta
            slopes = 1e-5 + softplus(start + pad(slopes, (1, 1), value=start) / 1000)
            return self.box(fractions(widths), fractions(widths + heights / 1000), slopes)

    element_map = CustomSplineMap(RationalQuadratic(), TorchflowsKnots(6, 3.0, count=17))
    ours = ConditionalMap(3, nn.Identity(), element_map, context=3 * 17)
    parameters = lambda c: c.unflatten(1, (3, 17))  # noqa: E731
    forward = lambda x, c: peer.forward(x, parameters(c))  # noqa: E731
    inverse = lambda y, c: peer.inverse(y, parameters(c))  # noqa: E731
    x = 2.9 * torch.tanh(torch.randn(20, 3))
    agree(
        ours, Peer("torchflows RationalQuadratic", forward, inverse), x, torch.randn(20, 51), tolerance=1e-10
    )


def test_freia_gin(agree) -> None:
    freia = pytest.importorskip("FrEIA.modules")
    peer = freia.GINCouplingBlock([(5,)], subnet_constructor=Net)
    translate = lambda out: (2 * 0.636 * halves(out)[0].atan(), halves(out)[1])  # noqa: E731
    first = Conditioner(peer.subnet2, translate, 9.0)  # sees the last three, moves the first two
    second = Conditioner(peer.subnet1, translate, 9.0)
    ours = Chain(
        GINCoupling(SlicePartition(5, keep=3, first=False), first, bound=9.0),
        GINCoupling(SlicePartition(5, keep=2), second, bound=9.0),
    )
    agree(ours, from_freia(peer), torch.randn(20, 5), layer="GINCoupling")


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
