"""Signed tanh and signed sine."""

import math

import pytest
import torch
from torch import Tensor, nn

from preimage.errors import DomainError
from preimage.layers import (
    MonotonicSine,
    SignedSine,
    SignedTanh,
)

DOUBLE = torch.float64


def _double(*values: float) -> Tensor:
    return torch.tensor([values], dtype=DOUBLE)


@pytest.mark.shows("1-2")
def test_signed_tanh_round_trip_from_1e_minus_8_to_300() -> None:
    size = torch.logspace(-8, math.log10(300), 500, dtype=DOUBLE)
    x = torch.cat([-size, size])[None]
    layer = SignedTanh()
    torch.testing.assert_close(layer(x), x.abs() * x.tanh(), rtol=1e-15, atol=0)
    y = torch.cat([-size, size])[None]
    torch.testing.assert_close(layer(layer.inverse(y)), y, rtol=1e-14, atol=0)
    torch.testing.assert_close(layer.inverse(layer(x)), x, rtol=1e-14, atol=0)


@pytest.mark.shows("1-2")
def test_signed_tanh_at_zero() -> None:
    """0 goes to 0, where the slope is zero and the log_det says so; the root rises like sqrt(y)."""
    layer = SignedTanh()
    y, log_det = layer.forward_and_log_det(torch.zeros(1, 1))
    assert y.item() == 0
    assert log_det.item() == -math.inf
    x, log_det = layer.inverse_and_log_det(torch.zeros(1, 1))
    assert x.item() == 0
    assert log_det.item() == math.inf
    small = _double(1e-20)
    assert layer.inverse(small).item() == pytest.approx(1e-10, rel=1e-12)
    assert layer.inverse_and_log_det(small)[1].item() == pytest.approx(-math.log(2e-10), rel=1e-12)


@pytest.mark.shows("1-2")
def test_dividing_by_the_answer_is_no_inverse() -> None:
    x = torch.tensor([0.0, 20.0])
    y = SignedTanh()(x[None])[0]
    wrong = torch.atanh(y.abs() / x.abs()) * x.sign()
    assert wrong[0].isnan()
    assert wrong[1].isinf()
    even = x * x.tanh()
    assert torch.equal(even, -x * (-x).tanh())  # without the absolute value the sign is lost


@pytest.mark.shows("1-1")
def test_original_signed_sine_is_even() -> None:
    d = torch.tensor([1.0, -1.0, 2.0, -2.0])
    original = d * d.abs().sin() * d.sign()
    assert torch.equal(original[0::2], original[1::2])
    assert original[0].item() == pytest.approx(0.8415, abs=1e-4)
    assert not torch.allclose(torch.asin(original / d) * original.sign(), d)


@pytest.mark.shows("1-1")
def test_odd_signed_sine_round_trip_and_range_check() -> None:
    layer = SignedSine()
    x = torch.linspace(-1, 1, 2001, dtype=DOUBLE)[None] * 2.0287
    y = layer(x)
    assert (y.diff() > 0).all()
    torch.testing.assert_close(y, x * x.abs().sin(), rtol=1e-15, atol=0)
    torch.testing.assert_close(layer(layer.inverse(y)), y, rtol=1e-14, atol=0)
    inner = x[:, 20:-20]
    torch.testing.assert_close(layer.inverse(layer(inner)), inner, rtol=4e-14, atol=0)
    ends = _double(-2.028757838110434, 0.0, 2.028757838110434)
    torch.testing.assert_close(layer.inverse(layer(ends)), ends, rtol=2e-8, atol=0)
    for value, run in ((2.0288, layer.forward), (1.8198, layer.inverse)):
        with pytest.raises(DomainError, match="closed interval"):
            run(_double(value))


@pytest.mark.shows("1-1")
@pytest.mark.parametrize("raw", [-20.0, -1.0, 0.0, 0.4, 20.0])
def test_monotonic_sine_is_a_bijection_of_the_line(raw: float) -> None:
    layer = MonotonicSine(frequency=2.0, limit=0.95).double()
    nn.init.constant_(layer.raw_amplitude, raw)
    amplitude = 0.95 * math.tanh(raw)
    x = torch.linspace(-30, 30, 6001, dtype=DOUBLE)[None]
    y = layer(x)
    frequency = layer.log_frequency.exp().item()
    torch.testing.assert_close(y, x + amplitude / frequency * (frequency * x).sin(), rtol=1e-14, atol=1e-14)
    assert (y.diff() > 0).all()
    torch.testing.assert_close(layer.inverse(y), x, rtol=0, atol=1e-12)
    assert (layer(torch.tensor([[1e5]], dtype=DOUBLE)) - 1e5).abs().item() < 1
