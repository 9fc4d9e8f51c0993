"""Logarithms of exponential functions against arbitrary precision."""

from collections.abc import Callable

import mpmath
import pytest
import torch
from torch import Tensor

from preimage.functional.roots import newton_root
from preimage.functional.scalar.hyperbolic import (
    log_cosh,
    log_logistic_slope,
    log_one_minus_exp,
    sign_and_size,
)
from preimage.functional.scalar.normal import inverse_mills_ratio, log_normal_cdf, normal_cdf

POINTS = [0.0, 1e-300, 1e-20, 1e-8, 0.1, 0.6931, 0.7, 1.0, 5.0, 20.5, 30.0, 37.0, 700.0, 1e6]
BOTH = [-x for x in POINTS] + POINTS


def _logistic_slope(x: mpmath.mpf) -> mpmath.mpf:
    return -abs(x) - 2 * mpmath.log1p(mpmath.exp(-abs(x)))


def _log_cosh(x: mpmath.mpf) -> mpmath.mpf:
    return abs(x) + mpmath.log1p(mpmath.exp(-2 * abs(x))) - mpmath.log(2)


def _log_cdf(x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.log(mpmath.erfc(-x / mpmath.sqrt(2)) / 2)


def _mills(x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.npdf(x) / (mpmath.erfc(-x / mpmath.sqrt(2)) / 2)


@pytest.mark.parametrize(
    ("function", "exact", "points"),
    [
        (log_logistic_slope, _logistic_slope, BOTH),
        (log_cosh, _log_cosh, BOTH),
        (log_one_minus_exp, lambda y: mpmath.log(-mpmath.expm1(-y)), POINTS[1:-2]),
        (normal_cdf, mpmath.ncdf, [x for x in BOTH if x > -38]),
        (log_normal_cdf, _log_cdf, BOTH),
        (inverse_mills_ratio, _mills, [x for x in BOTH if abs(x) < 38]),
    ],
)
def test_values_and_slopes(
    function: Callable[[Tensor], Tensor], exact: Callable[[mpmath.mpf], mpmath.mpf], points: list[float]
) -> None:
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    values = function(x)
    (slopes,) = torch.autograd.grad(values.sum(), x)
    with mpmath.workdps(400):
        wanted = [float(exact(mpmath.mpf(point))) for point in points]
    atol = 1e-15 if function is log_cosh else 1e-300
    # in the tail, rounding x / sqrt(2) counts x^2 times
    rtol = 1e-13 if function in (normal_cdf, log_normal_cdf) else 1e-14
    torch.testing.assert_close(values, torch.tensor(wanted, dtype=torch.float64), rtol=rtol, atol=atol)
    assert slopes.isfinite().all()


def test_slope_of_the_normal_tail() -> None:
    x = torch.tensor([-1e6, -50.0, -1.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(log_normal_cdf(x).sum(), x)
    torch.testing.assert_close(slope, inverse_mills_ratio(x).detach(), rtol=1e-9, atol=0)


def test_sign_of_zero_and_of_nan() -> None:
    sign, size = sign_and_size(torch.tensor([-0.0, 0.0, float("nan"), -3.0]))
    assert sign.tolist() == [1, 1, 1, -1]
    assert size[2].isnan()


def test_newton_root_has_three_right_derivatives() -> None:
    y = torch.tensor([0.3, 2.0, 9.0], dtype=torch.float64, requires_grad=True)
    x = newton_root(lambda x: (x * x * x, 3 * x * x), y, torch.ones_like(y), steps=12)
    derivative = x
    for order, wanted in enumerate([1 / 3, 1 / 3 * -2 / 3, 1 / 3 * -2 / 3 * -5 / 3], start=1):
        (derivative,) = torch.autograd.grad(derivative.sum(), y, create_graph=True)
        torch.testing.assert_close(derivative, wanted * y ** (1 / 3 - order), rtol=1e-9, atol=0)


def test_newton_root_differentiates_by_what_the_function_depends_on() -> None:
    a = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    y = torch.tensor(5.0, dtype=torch.float64)
    x = newton_root(lambda x: (a * x * x, 2 * a * x), y, torch.tensor(1.0, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(x, a)
    torch.testing.assert_close(gradient, -(y**0.5) / 2 * a.detach() ** -1.5)


def test_newton_root_stays_where_the_slope_is_zero() -> None:
    y = torch.zeros(2, requires_grad=True)
    x = newton_root(lambda x: (x * x, 2 * x), y, torch.zeros(2))
    x.sum().backward()
    assert not x.any()
    assert y.grad is not None
    assert not y.grad.any()
