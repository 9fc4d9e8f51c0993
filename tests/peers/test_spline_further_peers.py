"""Splines, Bernstein polynomials and sums of squares against normflows, zuko, torchflows and FrEIA."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softmax, softplus

from peers.compare import Conditioner, Peer, from_freia, from_nflows, halves
from peers.spline_nets import LEAST, Net, fractions
from preimage import Chain
from preimage.functional.splines import Knots, RationalQuadratic
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
    SumOfSquaresMap,
)

MASK = torch.tensor([True, False, True, False, False])


pytestmark = pytest.mark.filterwarnings("ignore:Inputs to the softmax are not scaled down")


def _normflows_coupling(**settings):
    coupling = pytest.importorskip("normflows.flows.neural_spline.coupling")
    return coupling.PiecewiseRationalQuadraticCoupling(
        (~MASK).int(), Net, num_bins=6, apply_unconditional_transform=False, **settings
    )


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
