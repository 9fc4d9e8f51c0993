"""Bounds of operator norms are never below the truth, and not far above it."""

import pytest
import torch

from preimage.functional.matrices.operator_bound import (
    convolution_bound,
    induced_bound,
    induced_convolution_bound,
    spectral_bound,
)

SHAPES = [(1, 1), (5, 3), (3, 5), (40, 40), (2, 7, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spectral(shape, dtype):
    torch.manual_seed(0)
    matrix = torch.randn(shape, dtype=dtype)
    truth = torch.linalg.matrix_norm(matrix.double(), 2)
    bound = spectral_bound(matrix).double()
    assert (bound >= truth * (1 - 1e-12)).all()
    assert (bound <= truth * 1.03).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e30])
def test_spectral_at_any_scale_and_for_equal_singular_values(scale):
    assert scale <= spectral_bound(scale * torch.eye(50, dtype=torch.float64)) <= 1.02 * scale
    assert torch.isfinite(spectral_bound(torch.zeros(3, 3)))


def test_spectral_gradient():
    torch.manual_seed(0)
    assert torch.autograd.gradcheck(
        spectral_bound, (torch.randn(4, 3, dtype=torch.float64).requires_grad_(),)
    )


def dense_convolution(kernel, size, padding, mode):
    """The convolution on pictures of a size as a matrix, column by column."""
    dims = kernel.dim() - 2
    channels, taps = kernel.shape[1], kernel.shape[2:]
    unit = torch.eye(channels * size**dims, dtype=kernel.dtype).view(-1, channels, *[size] * dims)
    if mode == "circular":
        unit = torch.nn.functional.pad(
            unit, [k // 2 for k in reversed(taps) for _ in (0, 1)], mode="circular"
        )
        padding = 0
    convolution = (torch.nn.functional.conv1d, torch.nn.functional.conv2d)[dims - 1]
    return convolution(unit, kernel, padding=padding).flatten(1).T


@pytest.mark.parametrize("shape", [(3, 2, 3), (2, 2, 5), (2, 3, 3, 3), (4, 2, 1, 1)])
@pytest.mark.parametrize("size", [5, 8])
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_convolution_of_any_size(shape, size, mode):
    torch.manual_seed(1)
    kernel = torch.randn(shape, dtype=torch.float64)
    truth = torch.linalg.matrix_norm(dense_convolution(kernel, size, shape[-1] // 2, mode), 2)
    assert truth <= convolution_bound(kernel)
    assert truth <= induced_convolution_bound(kernel, torch.tensor(2.0, dtype=torch.float64))


def test_convolution_is_tight_for_large_pictures():
    torch.manual_seed(2)
    kernel = torch.randn(3, 3, 3, 3, dtype=torch.float64)
    transfer = torch.fft.fftn(kernel, s=(128, 128), dim=(2, 3)).movedim((0, 1), (-2, -1))
    truth = torch.linalg.matrix_norm(transfer, 2).max()
    assert truth <= convolution_bound(kernel) <= 1.08 * truth


def test_convolution_that_peaks_between_the_frequencies_of_the_grid():
    """A modulated kernel: its largest response lies halfway between two points of the grid."""
    taps = torch.arange(3, dtype=torch.float64)
    kernel = torch.cos(2 * torch.pi / 16 * 3.5 * taps)[None, None]
    fine = torch.fft.fft(kernel, n=100_000).abs().max()
    assert fine <= convolution_bound(kernel) <= 1.1 * fine


def test_convolution_in_groups():
    torch.manual_seed(3)
    kernel = torch.randn(4, 2, 3, dtype=torch.float64)
    parts = [convolution_bound(kernel[:2]), convolution_bound(kernel[2:])]
    torch.testing.assert_close(convolution_bound(kernel, groups=2), torch.stack(parts).max())


def exact_induced(matrix, p, q):
    """By many random starts of the nonlinear power method, from below."""
    best = torch.zeros((), dtype=matrix.dtype)
    x = torch.randn(400, matrix.shape[1], dtype=matrix.dtype)
    dual = p / (p - 1)
    for _ in range(200):
        y = x @ matrix.T
        best = torch.maximum(best, (y.norm(q, dim=1) / x.norm(p, dim=1)).max())
        y = y.sign() * y.abs() ** (q - 1)
        x = y @ matrix
        x = x.sign() * x.abs() ** (dual - 1)
        x = x / x.norm(p, dim=1, keepdim=True)
    return best


@pytest.mark.parametrize(("p", "q"), [(1.5, 1.5), (2.0, 2.0), (1.3, 4.0), (3.0, 3.0), (3.0, 2.0), (6.0, 1.5)])
def test_induced(p, q):
    torch.manual_seed(4)
    matrix = torch.randn(4, 5, dtype=torch.float64)
    orders = torch.tensor([p, q], dtype=torch.float64)
    truth = exact_induced(matrix, p, q)
    assert truth <= induced_bound(matrix, orders[0], orders[1]) <= 2.5 * truth


def test_induced_is_exact_at_one():
    torch.manual_seed(5)
    matrix = torch.randn(4, 5, dtype=torch.float64)
    one, three = torch.tensor(1.0, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64)
    torch.testing.assert_close(induced_bound(matrix, one, one), matrix.abs().sum(0).max(), rtol=2e-3, atol=0)
    torch.testing.assert_close(
        induced_bound(matrix, one, three), matrix.norm(3, dim=0).max(), rtol=2e-3, atol=0
    )


def test_induced_gradient_by_weights_and_orders():
    torch.manual_seed(6)
    matrix = torch.randn(3, 4, dtype=torch.float64).requires_grad_()
    p, q = (torch.tensor(v, dtype=torch.float64).requires_grad_() for v in (1.7, 2.9))
    assert torch.autograd.gradcheck(induced_bound, (matrix, p, q))
