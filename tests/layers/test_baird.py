"""The shift under sinh."""

import math

import pytest
import torch
from torch import Tensor, nn

from preimage import Chain
from preimage.layers import (
    Affine,
    Baird,
)

DOUBLE = torch.float64


def _baird(shift: float, dtype: torch.dtype = DOUBLE) -> Baird:
    layer = Baird().to(dtype)
    nn.init.constant_(layer.shift, shift)
    return layer


@pytest.mark.shows("3-6")
@pytest.mark.parametrize("shift", [-50.0, -0.3, 0.0, 2.0, 1e4])
def test_baird_is_the_shift_under_sinh(shift: float) -> None:
    x = torch.linspace(-30, 30, 1201, dtype=DOUBLE)[None]
    torch.testing.assert_close(_baird(shift)(x), (x.sinh() + shift).asinh(), rtol=1e-12, atol=1e-12)


@pytest.mark.shows("3-6")
def test_baird_is_a_one_parameter_group() -> None:
    x = torch.linspace(-30, 30, 601, dtype=DOUBLE)[None]
    twice = Chain(_baird(0.7), _baird(-2.9))
    torch.testing.assert_close(twice(x), _baird(0.7 - 2.9)(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(_baird(0.7).inverse(x), _baird(-0.7)(x), rtol=0, atol=0)
    torch.testing.assert_close(_baird(0.0)(x), x, rtol=1e-14, atol=1e-14)
    assert _baird(0.0).forward_and_log_det(x)[1].abs().item() < 1e-12


@pytest.mark.shows("3-6")
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("shift", [-1e3, -1.0, 0.5, 30.0])
def test_baird_is_finite_and_exact_at_800(dtype: torch.dtype, shift: float) -> None:
    x = torch.tensor([[-800.0, -88.0, -15.1, -14.9, 14.9, 15.1, 88.0, 800.0]], dtype=dtype).requires_grad_()
    layer = _baird(shift, dtype)
    y, log_det = layer.forward_and_log_det(x)
    wanted = _baird(shift)(x.double())
    torch.testing.assert_close(y.double(), wanted, rtol=4e-7, atol=0)
    assert log_det.isfinite().all()
    (gradient,) = torch.autograd.grad(y.sum() + log_det.sum(), x)
    assert gradient.isfinite().all()
    assert layer.certified_inverse(y.detach()[:, ::7])[1].ok


@pytest.mark.shows("3-6")
def test_baird_formula_with_overflow_is_a_counter_example() -> None:
    x = torch.tensor([800.0])
    assert not (x.sinh() + 1).asinh().isfinite().all()
    assert _baird(1.0, torch.float32)(x[None]).item() == 800.0


@pytest.mark.shows("3-6")
def test_baird_learns_a_density() -> None:
    """Gaussian numbers bent by a known map are straightened again, by likelihood alone."""
    torch.manual_seed(0)
    truth = Chain(Affine(1), _baird(3.0)).double()
    x = truth.inverse(torch.randn(2000, 1, dtype=DOUBLE)).detach()
    flow = Chain(Affine(1), Baird(1)).double()
    optimiser = torch.optim.Adam(flow.parameters(), lr=0.1)

    def negative_log_likelihood(model: Chain) -> Tensor:
        z, log_det = model.forward_and_log_det(x)
        return (0.5 * z.square().sum(1) + 0.5 * math.log(2 * math.pi) - log_det).mean()

    start = negative_log_likelihood(flow).item()
    for _ in range(150):
        optimiser.zero_grad()
        loss = negative_log_likelihood(flow)
        loss.backward()
        optimiser.step()
    best = negative_log_likelihood(truth).item()
    assert best - 0.01 < negative_log_likelihood(flow).item() < best + 0.01 < start - 0.2
