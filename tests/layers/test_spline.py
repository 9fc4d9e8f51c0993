"""Splines against scipy, brute force and float64; extreme parameters; edges."""

import numpy as np
import pytest
import scipy.interpolate
import torch

from preimage.functional.splines import (
    Cubic,
    Knots,
    Linear,
    Quadratic,
    RationalQuadratic,
    spline,
    spline_inverse,
)
from preimage.layers import (
    Autoregressive,
    BernsteinMap,
    BoundedKnots,
    ConditionalMap,
    CubicSplineMap,
    CustomSplineMap,
    FreeEndKnots,
    LearnedMap,
    LinearSplineMap,
    LogisticMixtureMap,
    PeriodicKnots,
    QuadraticSplineMap,
    RationalQuadraticMap,
    SoftmaxKnots,
)
from preimage.nets import MaskedMLP

MAPS = {
    "rational quadratic": RationalQuadraticMap(),
    "rational quadratic, many bins": RationalQuadraticMap(32, 5.0),
    "rational quadratic, free ends": CustomSplineMap(RationalQuadratic(), FreeEndKnots()),
    "linear": LinearSplineMap(),
    "quadratic": QuadraticSplineMap(),
    "cubic": CubicSplineMap(),
}


def _extreme(element_map, deviation, count=4000):
    """Numbers in, on and beyond the box, with raw parameters of a deviation."""
    torch.manual_seed(0)
    bound = element_map.knots.bound
    edges = torch.tensor([-bound, bound, 0.0])
    edges = torch.cat([edges, edges.nextafter(torch.tensor(1e9)), edges.nextafter(torch.tensor(-1e9))])
    x = torch.cat([edges, torch.tensor([1e6, -1e6]), 2.4 * bound * (torch.rand(count) - 0.5)])
    return x.requires_grad_(), (deviation * torch.randn(len(x), element_map.count)).requires_grad_()


@pytest.mark.parametrize("deviation", [1.0, 5.0, 50.0])
@pytest.mark.parametrize("name", MAPS)
def test_float32_with_extreme_parameters(name, deviation):
    element_map = MAPS[name]
    x, raw = _extreme(element_map, deviation)
    y, log_slope = element_map.forward_elements(x, raw)
    back, back_log_slope = element_map.inverse_elements(y, raw)
    gradients = torch.autograd.grad((y + log_slope + back + back_log_slope).sum(), (x, raw))
    for tensor in (y, log_slope, back, back_log_slope, *gradients):
        assert tensor.isfinite().all()
    error = (back - x).abs() / x.abs().clamp_min(element_map.knots.bound) * element_map.knots.bound
    assert error.max() <= 1e-4


def _true_slope(element_map, x, raw):
    x = x.detach().double().requires_grad_()
    y, log_slope = element_map.forward_elements(x, raw.detach().double())
    return torch.autograd.grad(y.sum(), x)[0], log_slope


@pytest.mark.parametrize("name", MAPS)
def test_slope_at_and_beyond_the_edges_is_right(name):
    element_map = MAPS[name]
    x, raw = _extreme(element_map, 1.0, count=100)
    slope, log_slope = _true_slope(element_map, x, raw)
    torch.testing.assert_close(log_slope.exp(), slope, rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    "name", ["rational quadratic", "rational quadratic, many bins", "linear", "quadratic"]
)
def test_identity_beyond_the_box(name):
    element_map = MAPS[name]
    x = torch.tensor([-1e6, -element_map.knots.bound - 0.1, element_map.knots.bound + 3, 1e30])
    raw = torch.randn(4, element_map.count)
    assert torch.equal(element_map.forward_elements(x, raw)[0], x)
    assert torch.equal(element_map.inverse_elements(x, raw)[0], x)


@pytest.mark.parametrize("name", MAPS)
def test_zeros_give_the_identity_and_slopes_are_bounded(name):
    element_map = MAPS[name]
    x = torch.linspace(-7, 7, 101, dtype=torch.float64)
    y, log_slope = element_map.forward_elements(x, torch.zeros(101, element_map.count, dtype=torch.float64))
    torch.testing.assert_close(y, x, rtol=0, atol=1e-14)
    torch.testing.assert_close(log_slope, torch.zeros_like(x), rtol=0, atol=1e-13)
    raw = 30 * torch.randn(101, 101, element_map.count, dtype=torch.float64)
    assert element_map.forward_elements(x, raw)[1].abs().max() < np.log(600)


def _knots(seed=0, bins=6):
    generator = np.random.default_rng(seed)
    x, y = (np.cumsum(0.1 + generator.random(bins + 1)) for _ in range(2))
    steep = np.diff(y) / np.diff(x)
    low = np.minimum(np.append(steep, np.inf), np.append(np.inf, steep))
    return Knots(*(torch.tensor(part) for part in (x, y, low * (0.2 + 2 * generator.random(bins + 1)))))


def test_cubic_against_scipy():
    knots = _knots()
    wanted = scipy.interpolate.CubicHermiteSpline(*(part.numpy() for part in knots))
    x = torch.linspace(float(knots.x[0]), float(knots.x[-1]), 200, dtype=torch.float64)
    y, log_slope = spline(Cubic(), x, knots)
    np.testing.assert_allclose(y.numpy(), wanted(x.numpy()), rtol=1e-12)
    np.testing.assert_allclose(log_slope.exp().numpy(), wanted(x.numpy(), 1), rtol=1e-9)


def test_linear_against_numpy():
    knots = _knots(1)
    x = torch.linspace(float(knots.x[0]), float(knots.x[-1]), 200, dtype=torch.float64)
    wanted = np.interp(x.numpy(), knots.x.numpy(), knots.y.numpy())
    np.testing.assert_allclose(spline(Linear(), x, knots)[0].numpy(), wanted, rtol=1e-12)


def test_quadratic_is_the_integral_of_a_broken_line():
    x = torch.tensor([-1.0, 0.3, 0.5, 2.0], dtype=torch.float64)
    slopes = torch.tensor([0.5, 3.0, 0.1, 1.0], dtype=torch.float64)
    heights = (slopes[1:] + slopes[:-1]) / 2 * x.diff()
    knots = Knots(x, torch.cat([torch.zeros(1, dtype=torch.float64), heights.cumsum(0)]), slopes)
    where = torch.linspace(-1, 2, 301, dtype=torch.float64)
    y, log_slope = spline(Quadratic(), where, knots)
    line = np.interp(where.numpy(), x.numpy(), slopes.numpy())
    np.testing.assert_allclose(log_slope.exp().numpy(), line, rtol=1e-12)
    area = scipy.interpolate.make_interp_spline(x.numpy(), slopes.numpy(), k=1).antiderivative()
    np.testing.assert_allclose(y.numpy(), area(where.numpy()) - area(-1), atol=1e-12)


def test_rational_quadratic_formula_of_the_paper():
    knots = _knots(2)
    x = torch.linspace(float(knots.x[0]), float(knots.x[-1]) - 1e-9, 200, dtype=torch.float64)
    k = torch.searchsorted(knots.x, x, right=True) - 1
    width, height = knots.x.diff()[k], knots.y.diff()[k]
    s, xi = height / width, (x - knots.x[k]) / width
    left, right = knots.slopes[k], knots.slopes[k + 1]
    below = s + (right + left - 2 * s) * xi * (1 - xi)
    y, log_slope = spline(RationalQuadratic(), x, knots)
    torch.testing.assert_close(y, knots.y[k] + height * (s * xi**2 + left * xi * (1 - xi)) / below)
    slope = s**2 * (right * xi**2 + 2 * s * xi * (1 - xi) + left * (1 - xi) ** 2) / below**2
    torch.testing.assert_close(log_slope, slope.log())


@pytest.mark.parametrize("curve", [Linear(), Quadratic(), RationalQuadratic(), Cubic()])
def test_curves_and_their_roots(curve):
    ends = torch.tensor([0.05, 0.7, 1.0, 1.6, 2.8], dtype=torch.float64)
    t, a, b = torch.meshgrid(torch.linspace(0, 1, 101, dtype=torch.float64), ends, ends, indexing="ij")
    value, rest, slope = curve.rise(t, 1 - t, a, b)
    torch.testing.assert_close(value + rest, torch.ones_like(value))
    assert slope.min() > 0
    root, other = curve.root(value, rest, a, b)
    torch.testing.assert_close(root, t, rtol=0, atol=1e-12)
    torch.testing.assert_close(other, 1 - root, rtol=0, atol=1e-14)


@pytest.mark.parametrize("ends", [(1e-6, 1e6), (1e6, 1e-6), (1e6, 1e6), (1e-6, 1e-6)])
def test_root_of_the_rational_quadratic_curve_keeps_its_digits(ends):
    a, b = (torch.tensor(end) for end in ends)
    t = torch.linspace(0, 1, 1001)
    value, rest, _ = RationalQuadratic().rise(t, 1 - t, a, b)
    root, other = RationalQuadratic().root(value, rest, a, b)
    again, again_rest, _ = RationalQuadratic().rise(root, other, a, b)
    torch.testing.assert_close(again, value, rtol=1e-5, atol=0)
    torch.testing.assert_close(again_rest, rest, rtol=1e-5, atol=0)


def test_cubic_root_where_the_curve_is_flat():
    three = torch.tensor(2.999, dtype=torch.float64)
    t = torch.linspace(0, 1, 1001, dtype=torch.float64)
    value, rest, _ = Cubic().rise(t, 1 - t, three, three)
    again, _, _ = Cubic().rise(
        *Cubic().root(value, rest, three.expand_as(t), three.expand_as(t)), three, three
    )
    torch.testing.assert_close(again, value, rtol=0, atol=1e-12)


def test_continuous_at_the_knots():
    knots = _knots(3)
    for curve in (RationalQuadratic(), Cubic()):
        below, above = (spline(curve, knots.x + step, knots) for step in (-1e-9, 1e-9))
        torch.testing.assert_close(below[0], above[0], rtol=0, atol=1e-7)
        torch.testing.assert_close(below[1], above[1], rtol=0, atol=1e-6)
        torch.testing.assert_close(spline_inverse(curve, knots.y, knots)[0], knots.x)


def test_nan_stays_nan_and_infinity_stays_infinite():
    raw = torch.randn(2, RationalQuadraticMap().count)
    y = RationalQuadraticMap().forward_elements(torch.tensor([float("nan"), float("inf")]), raw)[0]
    assert y.isnan().tolist() == [True, False]
    assert y[1] == float("inf")


def test_periodic_knots_have_one_slope_at_the_seam():
    knots = PeriodicKnots(5).knots(torch.randn(7, 15))
    assert torch.equal(knots.slopes[:, 0], knots.slopes[:, -1])


def test_shared_parameters_are_those_of_every_element():
    shared = LearnedMap(RationalQuadraticMap(4), 2, deviation=1.0).double()
    x = torch.randn(3, 2, 4, 5, dtype=torch.float64)
    one = LearnedMap(RationalQuadraticMap(4), (2, 4, 5)).double()
    one.raw.data = shared.raw.data[:, None, None].expand(2, 4, 5, -1).clone()
    torch.testing.assert_close(shared(x), one(x))


def test_works_with_a_conditional_map():
    layer = ConditionalMap(3, torch.nn.Linear(2, 3 * 11), RationalQuadraticMap(4), context=2)
    x, context = torch.randn(5, 3), torch.randn(5, 2)
    torch.testing.assert_close(layer.inverse(layer(x, context), context), x, rtol=0, atol=1e-5)


def test_what_float32_lost_is_not_certified():
    """With slopes of 1e-8 a round trip is wrong by whole units; no such row may pass."""
    torch.manual_seed(0)
    layer = LearnedMap(CustomSplineMap(RationalQuadratic(), SoftmaxKnots()), (50, 4), deviation=5.0)
    x = 6 * torch.rand(20, 50, 4) - 3
    for i in range(50):
        part = LearnedMap(layer.element_map, 4)
        part.raw.data = layer.raw.data[i]
        back, certificate = part.certified_inverse(part(x[:, i]).detach(), on_error="nan")
        wrong = (back - x[:, i]).norm(dim=1) > 1e-2 * x[:, i].norm(dim=1)
        assert not (wrong & certificate.converged).any()
    y = layer(x)
    assert ((layer.inverse(y) - x).abs().amax((1, 2)) > 1e-2).any(), "an easy case shows nothing"


@pytest.mark.parametrize(
    "element_map", [RationalQuadraticMap(5), CubicSplineMap(3), LogisticMixtureMap(3), BernsteinMap(5)]
)
def test_autoregressive(element_map):
    layer = Autoregressive(MaskedMLP(4, count=element_map.count, hidden_features=(16,)), element_map).double()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    x = torch.randn(5, 4, dtype=torch.float64)
    y, log_det = layer.forward_and_log_det(x)
    torch.testing.assert_close(layer.inverse(y), x, rtol=0, atol=1e-10)
    jacobian = torch.stack(
        [torch.autograd.functional.jacobian(lambda v: layer(v[None])[0], row) for row in x]
    )
    torch.testing.assert_close(log_det, torch.linalg.slogdet(jacobian).logabsdet)


@pytest.mark.parametrize("rule", [BoundedKnots, FreeEndKnots, PeriodicKnots, SoftmaxKnots])
def test_settings_are_checked(rule):
    for wrong in ({"bins": 1}, {"bound": 0.0}, {"bound": float("nan")}):
        with pytest.raises(ValueError, match="wanted"):
            rule(**wrong)


@pytest.mark.parametrize("make", [RationalQuadraticMap, LinearSplineMap, QuadraticSplineMap, CubicSplineMap])
def test_steepness_is_checked(make):
    with pytest.raises(ValueError, match="steepness"):
        make(steepness=1.0)
    with pytest.raises(ValueError, match="minimum"):
        SoftmaxKnots(8, minimum=0.2)


def test_fits_a_density():
    """A spline trained by maximum likelihood recovers two bumps better than a normal distribution can."""
    torch.manual_seed(0)
    data = torch.cat([0.3 * torch.randn(500) - 1.5, 0.3 * torch.randn(500) + 1.5])[:, None]
    layer = LearnedMap(RationalQuadraticMap(), 1)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(100):
        z, log_det = layer.forward_and_log_det(data)
        loss = (0.5 * (z * z).sum(1) - log_det).mean() + 0.919
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    bumps = 0.5 * torch.distributions.Normal(-1.5, 0.3).log_prob(data).exp()
    bumps = bumps + 0.5 * torch.distributions.Normal(1.5, 0.3).log_prob(data).exp()
    assert loss.item() < -bumps.log().mean().item() + 0.1
