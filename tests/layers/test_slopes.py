"""Slopes that are learnt, and the pairs that are said to be inverses."""

import pytest
import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.layers import (
    Asinh,
    LeakyReLU,
    MonotonicPReLU,
    PReLU,
    Sinh,
)

DOUBLE = torch.float64


def _double(*values: float) -> Tensor:
    return torch.tensor([values], dtype=DOUBLE)


def _round_trip_error(layer: Bijection, x: Tensor) -> float:
    back = layer.inverse(layer(x))
    return ((back - x).abs() / (1 + x.abs())).max().item()


@pytest.mark.shows("1-5")
def test_asinh_and_sinh_are_a_pair_without_any_shift() -> None:
    x = torch.linspace(-20, 20, 801, dtype=DOUBLE)[None]
    torch.testing.assert_close(Asinh()(Sinh()(x)), x, rtol=1e-15, atol=1e-15)
    shifted = torch.sinh(torch.asinh(_double(5.0) - 1e-5) + 1e-5)
    assert (shifted - 5.0).abs().item() > 3e-5  # the shifted pair is not a pair


@pytest.mark.shows("1-5")
@pytest.mark.parametrize("slope", [0.01, 0.25, 0.3])
def test_double_negation_is_the_slope_times_the_inverse(slope: float) -> None:
    y = torch.linspace(-3, 3, 61, dtype=DOUBLE)[None]
    for layer in (LeakyReLU(slope), PReLU(slope=slope).double(), MonotonicPReLU(slope=slope).double()):
        torch.testing.assert_close(-layer(-y), slope * layer.inverse(y), rtol=1e-6, atol=1e-9)
        assert (-layer(-y) - layer.inverse(y)).abs().max() > 1.0


@pytest.mark.shows("1-5")
def test_adding_to_the_slope_of_the_inverse_breaks_it() -> None:
    layer, y = LeakyReLU(1e-3), _double(-1.0)
    assert layer.inverse(y).item() == -1000.0
    assert (y / (1e-3 + 1e-5)).item() == pytest.approx(-990.1, abs=0.01)


@pytest.mark.shows("1-4")
@pytest.mark.parametrize("shape", [(), 3, (3, 2, 2)])
def test_slope_is_positive_whatever_is_learnt(shape: object) -> None:
    x = torch.randn(4, 3, 2, 2, dtype=DOUBLE)
    for raw in (-1e3, -3.0, 0.0, 3.0, 1e3):
        layer = MonotonicPReLU(shape, least=1e-2).double()
        nn.init.constant_(layer.raw_slope, raw)
        assert (layer.log_slope().exp() >= 1e-2 * (1 - 1e-12)).all()
        torch.testing.assert_close(layer.inverse(layer(x)), x, rtol=1e-12, atol=1e-12)


@pytest.mark.shows("1-4")
def test_slope_starts_where_it_is_told_and_is_shared_with_the_inverse() -> None:
    for layer in (PReLU(2, slope=0.7), MonotonicPReLU(2, slope=0.7)):
        assert layer(torch.tensor([[-1.0, 1.0]])).tolist()[0] == pytest.approx([-0.7, 1.0], rel=1e-6)
        assert [id(p) for p in layer.inv.parameters()] == [id(layer.raw_slope)]


@pytest.mark.shows("1-4")
def test_slope_towards_its_floor_magnifies_by_one_over_the_floor() -> None:
    layer = MonotonicPReLU(least=1e-3).double()
    nn.init.constant_(layer.raw_slope, -1e3)
    assert layer.inverse(_double(-1.0)).item() == pytest.approx(-1000.0, rel=1e-12)
    assert _round_trip_error(layer, _double(-7.0, 2.0)) < 1e-12


@pytest.mark.shows("3-25", "1-4")
def test_slope_gets_a_gradient_from_the_log_det() -> None:
    x = _double(-2.0, -0.5, 3.0)
    layer = PReLU(slope=0.3).double()
    layer.forward_and_log_det(x)[1].sum().backward()
    alpha = 0.3  # log_det = 2 log alpha, and the parameter is log alpha
    assert layer.raw_slope.grad.item() == pytest.approx(2.0)
    assert layer.raw_slope.grad.item() / alpha == pytest.approx(2 / alpha)
    fixed = x.clone().requires_grad_()
    log_det = LeakyReLU(0.3).forward_and_log_det(fixed)[1]
    (gradient,) = torch.autograd.grad(log_det.sum() + 0 * fixed.sum(), fixed)
    assert not gradient.any()  # a fixed slope tells x nothing


@pytest.mark.parametrize("make", [lambda: PReLU(slope=0.0), lambda: MonotonicPReLU(slope=1e-3, least=1e-2)])
def test_slopes_below_the_floor_are_refused(make) -> None:
    with pytest.raises(ValueError, match="wanted a number above"):
        make()
