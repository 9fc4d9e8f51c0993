"""Convolutions with an inverse: circular, exponential, autoregressive."""

import math

import pytest
import torch
from dense_oracle import check_dense, dense, double, filled
from torch import nn

from preimage import Bijection
from preimage.errors import NotConvergedError, NotInvertibleError
from preimage.functional.autoregressive.wavefront import solve_causal
from preimage.functional.signals.convolve import zero_padded_convolution
from preimage.layers import (
    AutoregressiveConvolution,
    CircularConvolution,
    CircularExponential,
    ConvolutionExponential,
    EmergingConvolution,
    InvertibleDownsampling,
)

SIZES = [
    ((3,), (7,)),
    ((4,), (2,)),
    ((3, 3), (4, 5)),
    ((2, 5), (3, 4)),
    ((7, 7), (3, 2)),
    ((1, 2, 3), (2, 3, 4)),
]


MODULES = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


CAUSAL = [((3,), (7,)), ((5,), (200,)), ((9,), (3,)), ((3, 3), (4, 5)), ((5, 3), (3, 6)), ((2, 4), (5, 3))]
CAUSAL += [
    ((7, 7), (2, 3)),
    ((1, 3), (3, 4)),
    ((3, 1), (3, 4)),
    ((3, 3, 3), (2, 3, 4)),
    ((1, 5, 2), (2, 3, 2)),
]


@pytest.mark.parametrize(("kernel", "sizes"), SIZES)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.shows("0-7")
def test_circular_convolution_against_its_matrix(
    kernel: tuple[int, ...], sizes: tuple[int, ...], groups: int
) -> None:
    layer = filled(CircularConvolution(2, kernel, groups=groups, bias=False).double(), 0.5)
    assert isinstance(layer, CircularConvolution)
    check_dense(layer, (2, *sizes))
    matrix = dense(layer, (2, *sizes))
    assert layer.condition(sizes).item() == pytest.approx(torch.linalg.cond(matrix).item(), rel=1e-8)


@pytest.mark.parametrize("kernel", [(3,), (4,), (3, 3), (2, 5), (3, 1, 2)])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.shows("0-7")
def test_circular_convolution_is_that_of_pytorch(kernel: tuple[int, ...], dilation: int) -> None:
    kind = MODULES[len(kernel)]
    module = kind(4, 4, kernel, padding="same", padding_mode="circular", dilation=dilation, groups=2).double()
    layer = CircularConvolution.from_convolution(module)
    x = double(2, 4, *[9, 8, 7][: len(kernel)])
    y = module(x)
    assert torch.allclose(layer(x), y, atol=1e-13)
    back, certificate = layer.certified_inverse(y)
    assert torch.allclose(back, x, atol=1e-6)
    assert certificate.condition.isfinite().all()


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(2, 2, 3, padding=1),
        nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(2, 2, 3, padding=0, padding_mode="circular"),
        nn.Conv2d(2, 2, 3, padding=1, stride=2, padding_mode="circular"),
    ],
)
def test_other_convolutions_are_refused(module: nn.Conv2d) -> None:
    with pytest.raises(NotInvertibleError, match="circular"):
        CircularConvolution.from_convolution(module)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [4, 6, 50])
def test_a_blur_without_inverse_is_refused(dtype: torch.dtype, size: int) -> None:
    """(1, 2, 1) / 4 has a zero at the highest frequency of even sizes, and none for odd ones."""
    layer = CircularConvolution(1, (3,), bias=False).to(dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[0.1, 0.2, 0.1]]]))
    with pytest.raises(NotInvertibleError, match="frequencies"):
        layer.inverse(torch.randn(1, 1, size, dtype=dtype))
    x = torch.randn(1, 1, size + 1, dtype=dtype)
    assert torch.allclose(layer.inverse(layer(x)), x, atol=0.1 if dtype == torch.float32 else 1e-9)


def test_an_ill_conditioned_blur_is_flagged() -> None:
    layer = CircularConvolution(1, (3,), bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[0.25, 0.50001, 0.25]]]))
    x = torch.randn(8, 1, 512, generator=torch.Generator().manual_seed(0))
    with pytest.raises(NotConvergedError):
        layer.certified_inverse(layer(x))
    _, certificate = layer.certified_inverse(layer(x), on_error="nan")
    error = (layer.inverse(layer(x)) - x).norm(dim=2)[:, 0] / x.norm(dim=2)[:, 0]
    assert (error <= certificate.error_bound).all()
    assert certificate.condition[0].item() == pytest.approx(1e5, rel=0.01)


@pytest.mark.parametrize(("kernel", "sizes"), SIZES)
@pytest.mark.parametrize("groups", [1, 2])
def test_circular_exponential_against_a_matrix_exponential(
    kernel: tuple[int, ...], sizes: tuple[int, ...], groups: int
) -> None:
    layer = filled(CircularExponential(2, kernel, groups=groups, bias=False).double())
    inner = CircularConvolution(2, kernel, groups=groups, bias=False).double()
    assert isinstance(layer, CircularExponential)
    inner.weight = layer.weight
    matrix = torch.linalg.matrix_exp(dense(inner, (2, *sizes)))
    check_dense(layer, (2, *sizes), matrix)
    assert layer.condition(sizes).item() == pytest.approx(torch.linalg.cond(matrix).item(), rel=1e-6)


@pytest.mark.parametrize(("kernel", "sizes"), [(k, s) for k, s in SIZES if k != (7, 7)])
def test_convolution_exponential_against_a_matrix_exponential(
    kernel: tuple[int, ...], sizes: tuple[int, ...]
) -> None:
    layer = filled(ConvolutionExponential(2, kernel, bias=False, norm=3.0).double(), 1.0)
    assert isinstance(layer, ConvolutionExponential)
    unit = torch.eye(2 * math.prod(sizes), dtype=torch.float64).view(-1, 2, *sizes)
    inner = zero_padded_convolution(unit, layer.kernel().detach()).flatten(1).mT
    assert torch.linalg.matrix_norm(inner, 2) < 3.0
    check_dense(layer, (2, *sizes), torch.linalg.matrix_exp(inner))


@pytest.mark.parametrize("norm", [0.1, 2.0, 8.0])
@pytest.mark.parametrize("terms", [1, 3, 10])
def test_the_remainder_of_the_series_is_bounded(norm: float, terms: int) -> None:
    layer = filled(ConvolutionExponential(2, (3,), bias=False, norm=norm).double(), 5.0)
    assert isinstance(layer, ConvolutionExponential)
    unit = torch.eye(12, dtype=torch.float64).view(-1, 2, 6)
    inner = zero_padded_convolution(unit, layer.kernel().detach()).flatten(1).mT
    exact = torch.linalg.matrix_exp(inner)
    powers = [torch.linalg.matrix_power(inner, m) / math.factorial(m) for m in range(terms + 1)]
    x = double(12)
    error = (exact @ x - torch.stack(powers).sum(0) @ x).norm() / (exact @ x).norm()
    assert error <= layer.remainder(terms) + 1e-14
    assert layer.terms(torch.float32) < layer.terms(torch.float64)


@pytest.mark.parametrize(("kernel", "sizes"), CAUSAL)
def test_wavefronts_against_a_loop_over_positions(kernel: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    place = torch.arange(math.prod(kernel)).view(kernel)
    before = place < place[tuple(size // 2 for size in kernel)]
    weight = 0.2 * double(2, 2, *kernel) * before
    y = double(3, 2, *sizes)
    x = torch.zeros_like(y).flatten(2)
    for position in range(x.shape[2]):
        seen = zero_padded_convolution(x.view_as(y), weight).flatten(2)
        x[:, :, position] = y.flatten(2)[:, :, position] - seen[:, :, position]
    assert torch.allclose(solve_causal(y, weight), x.view_as(y), atol=1e-12)


@pytest.mark.parametrize(("kernel", "sizes"), CAUSAL)
def test_autoregressive_convolution_is_triangular(kernel: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    channels = 1 if math.prod(sizes) > 50 else 2
    layer = filled(AutoregressiveConvolution(channels, kernel, bias=False).double(), 0.2)
    event = (channels, *sizes)
    check_dense(layer, event)
    matrix = dense(layer, event).unflatten(0, (channels, -1)).unflatten(2, (channels, -1))
    by_position = matrix.permute(1, 0, 3, 2).reshape(math.prod(event), -1)
    assert not by_position.triu(1).any()


def test_emerging_convolution_sees_all_sides() -> None:
    layer = filled(EmergingConvolution(2, 3, bias=False).double(), 0.2)
    check_dense(layer, (2, 5, 5))
    matrix = dense(layer, (2, 5, 5)).view(2, 5, 5, 2, 5, 5)
    field = matrix[0, 2, 2, 1]  # what the middle sees of the other channel
    assert (field[1:4, 1:4] != 0).all()
    assert not field[0].any()
    assert not field[4].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "make",
    [
        lambda: CircularConvolution(3, 3),
        lambda: CircularExponential(3, 3),
        lambda: EmergingConvolution(3, 3),
        lambda: AutoregressiveConvolution(3, (5, 3)),
        lambda: ConvolutionExponential(3, 3),
        lambda: InvertibleDownsampling(3, 2),
    ],
)
def test_huge_inputs_come_back_or_are_flagged(make: type, dtype: torch.dtype) -> None:
    layer = filled(make().to(dtype), 0.05)
    assert isinstance(layer, Bijection)
    x = 1e6 * double(4, 3, 8, 6).to(dtype)
    back, certificate = layer.certified_inverse(layer(x), on_error="nan")
    error = (back - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)
    assert certificate.ok
    assert (error < 1e4 * torch.finfo(dtype).eps).all()


def test_a_filter_that_explodes_is_flagged() -> None:
    """y_t = x_t + 3 x_{t-1} has an inverse that grows by 3 a position: 3^200 is beyond float32."""
    layer = AutoregressiveConvolution(1, (3,), bias=False)
    with torch.no_grad():
        layer.weight[0, 0, 0] = 3.0
    y = torch.randn(2, 1, 200, generator=torch.Generator().manual_seed(0))
    with pytest.raises(NotConvergedError):
        layer.certified_inverse(y)
    x, certificate = layer.certified_inverse(y, on_error="nan")
    assert x.isnan().all()
    assert not certificate.converged.any()
