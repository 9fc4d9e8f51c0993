"""Mixtures and polynomials against scipy and numpy; guaranteed inverses."""

import numpy as np
import pytest
import scipy.stats
import torch

from preimage.functional.scalar.bernstein import bernstein, bernstein_inverse
from preimage.functional.scalar.logistic_mixture import LogisticMixture
from preimage.functional.scalar.sum_of_squares import legendre_rule, sum_of_squares
from preimage.layers import BernsteinMap, LearnedMap, LogisticMixtureMap, SumOfSquaresMap

MAPS = {
    "mixture": LogisticMixtureMap(5),
    "one logistic": LogisticMixtureMap(1),
    "squares": SumOfSquaresMap(2, 3),
    "bernstein": BernsteinMap(9),
}


def _mixture(deviation=1.0, count=()):
    torch.manual_seed(0)
    weights, means, scales = deviation * torch.randn(3, *count, 4, dtype=torch.float64)
    return LogisticMixture(weights.log_softmax(-1), means, scales.clamp(-3, 3).exp())


def test_mixture_against_scipy():
    mixture = _mixture()
    x = torch.linspace(-6, 6, 50, dtype=torch.float64)
    parts = [scipy.stats.logistic(m, s) for m, s in zip(mixture.means, mixture.scales, strict=True)]
    weights = mixture.log_weights.exp().numpy()
    below = sum(w * part.cdf(x.numpy()) for w, part in zip(weights, parts, strict=True))
    above = sum(w * part.sf(x.numpy()) for w, part in zip(weights, parts, strict=True))
    density = sum(w * part.pdf(x.numpy()) for w, part in zip(weights, parts, strict=True))
    logit, slope = mixture.logit(x)
    np.testing.assert_allclose(logit.numpy(), np.log(below) - np.log(above), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(slope.numpy(), density / (below * above), rtol=1e-9)


@pytest.mark.parametrize("deviation", [1.0, 5.0, 20.0])
def test_every_quantile_is_found(deviation):
    mixture = _mixture(deviation, (500,))
    logit = torch.cat([20 * torch.randn(496), torch.tensor([0.0, 1e6, -1e6, 1e12])]).double()
    for line in (0.0, 0.01):
        again, _ = mixture.blend(mixture.blend_root(logit, line), line)
        torch.testing.assert_close(again, logit, rtol=1e-12, atol=1e-12)


def test_blend_of_one_component_is_a_line():
    mixture = LogisticMixture(torch.zeros(1), torch.tensor([2.0]), torch.tensor([0.5]))
    x = torch.tensor([-1e6, 0.0, 2.0, 3.0])
    value, slope = mixture.blend(x, 0.1)
    torch.testing.assert_close(value, 0.9 * 2 * (x - 2) + 0.1 * x)
    torch.testing.assert_close(slope, torch.full_like(x, 1.9))


def test_extreme_mixtures_in_float32():
    element_map = LogisticMixtureMap(8)
    torch.manual_seed(0)
    x = (4 * torch.randn(5000)).requires_grad_()
    raw = (20 * torch.randn(5000, element_map.count)).requires_grad_()
    y, log_slope = element_map.forward_elements(x, raw)
    back, back_log_slope = element_map.inverse_elements(y, raw)
    gradients = torch.autograd.grad((y + log_slope + back + back_log_slope).sum(), (x, raw))
    assert all(tensor.isfinite().all() for tensor in (y, log_slope, back, back_log_slope, *gradients))
    again, _ = element_map.forward_elements(back, raw)
    torch.testing.assert_close(again, y, rtol=1e-4, atol=1e-4)


def test_slope_of_the_mixture_far_out_is_that_of_the_widest_component():
    mixture = LogisticMixture(
        torch.tensor([0.5, 0.5]).log(), torch.tensor([-1.0, 1.0]), torch.tensor([0.5, 2.0])
    )
    slope = mixture.logit(torch.tensor([1e6, -1e6]))[1]
    torch.testing.assert_close(slope, torch.tensor([0.5, 0.5]))


def test_sum_of_squares_against_numpy():
    torch.manual_seed(0)
    coefficients = torch.randn(3, 4, dtype=torch.float64)
    x = torch.linspace(-3, 3, 31, dtype=torch.float64)
    squares = [np.polynomial.Polynomial(np.eye(4)[0] + c) ** 2 for c in coefficients.numpy()]
    slope = sum(squares, np.polynomial.Polynomial([0.0])) / 3 + 0.01
    value, derivative = sum_of_squares(x, coefficients, 0.01, legendre_rule(4))
    np.testing.assert_allclose(value.numpy(), slope.integ()(x.numpy()), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(derivative.numpy(), slope(x.numpy()), rtol=1e-9)


def test_bernstein_against_numpy():
    torch.manual_seed(0)
    coefficients = torch.rand(9, dtype=torch.float64).cumsum(0)
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)
    chances = [scipy.stats.binom(8, (v + 2) / 4).pmf(np.arange(9)) for v in x.tolist()]
    y, log_slope = bernstein(x, coefficients, 2.0)
    np.testing.assert_allclose(y.numpy(), np.array(chances) @ coefficients.numpy(), rtol=1e-12)
    near = bernstein(x[1:-1] + 1e-6, coefficients, 2.0)[0] - bernstein(x[1:-1] - 1e-6, coefficients, 2.0)[0]
    np.testing.assert_allclose(log_slope[1:-1].exp().numpy(), near.numpy() / 2e-6, rtol=1e-7)


def test_bernstein_goes_on_as_tangents():
    coefficients = torch.tensor([-1.0, 0.0, 0.5, 4.0], dtype=torch.float64)
    x = torch.tensor([-5.0, -2.0, 2.0, 1e6], dtype=torch.float64)
    y, log_slope = bernstein(x, coefficients, 2.0)
    wanted = torch.tensor([-1 - 3 * 0.75, -1.0, 4.0, 4 + (1e6 - 2) * 3.5 * 0.75], dtype=torch.float64)
    torch.testing.assert_close(y, wanted)
    slopes = torch.tensor([0.75, 0.75, 3.5 * 0.75, 3.5 * 0.75], dtype=torch.float64)
    torch.testing.assert_close(log_slope.exp(), slopes)
    torch.testing.assert_close(bernstein_inverse(y, coefficients, 2.0)[0], x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("deviation", [0.3, 5.0])
@pytest.mark.parametrize("name", MAPS)
def test_no_silent_error(name, deviation, dtype):
    """Inputs up to 1e6: what the certificate accepts is right, and it accepts most."""
    torch.manual_seed(0)
    layer = LearnedMap(MAPS[name], 3, deviation=deviation).to(dtype)
    x = torch.randn(60, 3, dtype=dtype) * torch.logspace(0, 6, 60, dtype=dtype)[:, None]
    y = layer(x).detach()
    back, certificate = layer.certified_inverse(y, on_error="nan")
    again = layer(back)
    wrong = (again - y).norm(dim=1) > 1e-2 * y.norm(dim=1)
    assert not (wrong & certificate.converged).any()
    assert certificate.converged[y.isfinite().all(1)].double().mean() > 0.8
    assert layer.inverse(y)[y.isfinite().all(1)].isfinite().all()


def test_an_overflown_polynomial_is_not_certified():
    layer = LearnedMap(SumOfSquaresMap(1, 8, scale=1.0), deviation=1.0)
    y = layer(torch.tensor([[1e6]]))
    assert y.isinf().all()
    _, certificate = layer.certified_inverse(y, on_error="nan")
    assert not certificate.ok


@pytest.mark.parametrize("name", MAPS)
def test_second_derivatives_of_the_inverse(name):
    torch.manual_seed(0)
    element_map = MAPS[name]
    raw = torch.randn(2, element_map.count, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(element_map.inverse_elements, (y, raw), fast_mode=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LogisticMixtureMap(0),
        lambda: LogisticMixtureMap(sharpness=1.0),
        lambda: LogisticMixtureMap(line=1.0),
        lambda: SumOfSquaresMap(0),
        lambda: SumOfSquaresMap(slope=0.0),
        lambda: BernsteinMap(1),
        lambda: BernsteinMap(steepness=0.5),
    ],
)
def test_settings_are_checked(make):
    with pytest.raises(ValueError, match="wanted"):
        make()
