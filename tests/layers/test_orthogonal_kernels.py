"""Cosine transforms and down-sampling by orthogonal kernels."""

import math

import pytest
import scipy.fft
import torch
from dense_oracle import check_dense, double, filled
from torch import Tensor
from torch.nn import functional

from preimage.errors import NotInvertibleError, ShapeError
from preimage.functional.matrices.skew import fill_below_diagonal
from preimage.functional.signals.cosine import (
    DENSE,
    cosine_matrix,
    cosine_transform,
    inverse_cosine_transform,
)
from preimage.functional.signals.real_fft import inverse_real_fft, real_fft
from preimage.layers import (
    AutoregressiveConvolution,
    CayleyKernels,
    CircularConvolution,
    CircularExponential,
    ConvolutionExponential,
    CosineTransform,
    EmergingConvolution,
    ExponentialKernels,
    InvertibleDownsampling,
    InvertibleUpsampling,
    SpatialLinear,
    TriangularKernels,
    block_cosine_transform,
)

KERNELS = [CayleyKernels, ExponentialKernels, TriangularKernels]


def _dense_of_down(layer: InvertibleDownsampling, sizes: tuple[int, ...]) -> Tensor:
    return layer(torch.eye(2 * math.prod(sizes)).double().view(-1, 2, *sizes)).flatten(1).mT.detach()


@pytest.mark.parametrize("size", [1, 2, 3, 8, 17, DENSE, DENSE + 1, 400, 1023])
def test_cosine_transform_against_scipy(size: int) -> None:
    x = double(3, size)
    wanted = torch.from_numpy(scipy.fft.dct(x.numpy(), type=2, norm="ortho"))
    assert torch.allclose(cosine_transform(x), wanted, atol=1e-11)
    assert torch.allclose(inverse_cosine_transform(wanted), x, atol=1e-11)


def test_cosine_layer_against_scipy() -> None:
    x = double(2, 3, 5, 8)
    wanted = torch.from_numpy(scipy.fft.dctn(x.numpy(), type=2, norm="ortho", axes=(2, 3)))
    assert torch.allclose(CosineTransform()(x), wanted)
    with pytest.raises(ValueError, match="dims"):
        CosineTransform(0)


def test_block_cosine_transform_is_that_of_each_block() -> None:
    layer = block_cosine_transform(2, (4, 2))
    x = double(2, 2, 8, 6)
    y = layer(x)
    block = x[1, 1, 4:8, 2:4]
    wanted = torch.from_numpy(scipy.fft.dctn(block.numpy(), type=2, norm="ortho"))
    assert torch.allclose(y[1, 8:16, 1, 1], wanted.flatten())
    assert not list(layer.parameters())


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(("factors", "sizes"), [((3,), (6,)), ((2, 3), (4, 6)), ((2, 1, 2), (2, 3, 4))])
@pytest.mark.parametrize("groups", [None, 1])
def test_downsampling_is_a_strided_convolution(
    kernels: type, factors: tuple[int, ...], sizes: tuple[int, ...], groups: int | None
) -> None:
    layer = InvertibleDownsampling(2, factors, kernels, groups=groups).double()
    filled(layer, 0.4)
    x = double(2, 2, *sizes)
    convolve = [functional.conv1d, functional.conv2d, functional.conv3d][len(factors) - 1]
    wanted = convolve(x, layer.weight(), stride=factors, groups=layer.groups)
    assert torch.allclose(layer(x), wanted)
    check_dense(layer, (2, *sizes), None if sizes[0] > 5 else _dense_of_down(layer, sizes))


@pytest.mark.parametrize("kernels", [CayleyKernels, ExponentialKernels])
def test_orthogonal_upsampling_is_the_transposed_convolution(kernels: type) -> None:
    layer = InvertibleUpsampling(12, 2, kernels).double()
    filled(layer, 0.4)
    x = double(2, 12, 3, 2)
    wanted = functional.conv_transpose2d(x, layer.down.weight(), stride=2, groups=3)
    assert torch.allclose(layer(x), wanted)


@pytest.mark.parametrize("kernels", [CayleyKernels, ExponentialKernels])
def test_kernels_start_anywhere(kernels: type) -> None:
    matrix = torch.kron(cosine_matrix(2), cosine_matrix(2))
    layer = InvertibleDownsampling(3, 2, kernels).double()
    layer.kernels.set_matrix(matrix)
    x = double(1, 3, 4, 4)
    assert torch.allclose(layer(x), block_cosine_transform(3, 2)(x))
    with pytest.raises(NotInvertibleError, match="not orthogonal"):
        layer.kernels.set_matrix(2 * matrix)
    with pytest.raises(ShapeError, match="wanted"):
        layer.kernels.set_matrix(matrix[:2])


def test_starts_as_the_pixel_unshuffle() -> None:
    x = double(2, 3, 4, 6)
    wanted = functional.pixel_unshuffle(x, 2)
    assert torch.equal(InvertibleDownsampling(3, 2).double()(x), wanted)


def test_wrong_settings_are_refused() -> None:
    for kind in (CircularConvolution, CircularExponential):
        with pytest.raises(ValueError, match="groups"):
            kind(3, 3, groups=2)
    for kind in (CircularConvolution, CircularExponential, AutoregressiveConvolution, EmergingConvolution):
        with pytest.raises(ValueError, match="kernel_size"):
            kind(3, 0)
        with pytest.raises(ValueError, match="channels"):
            kind(0, 3)
        with pytest.raises(ValueError, match="dimensions"):
            kind(1, (1, 1, 1, 1))
        with pytest.raises(ShapeError, match="wanted"):
            kind(3, 3)(torch.ones(1, 3, 4))
    with pytest.raises(ValueError, match="norm"):
        ConvolutionExponential(1, 3, norm=0.0)
    with pytest.raises(ValueError, match="factors"):
        InvertibleDownsampling(2, (0,))
    with pytest.raises(ValueError, match="groups"):
        InvertibleDownsampling(3, 2, groups=2)
    with pytest.raises(ValueError, match="multiple of 4"):
        InvertibleUpsampling(6, 2)
    with pytest.raises(ShapeError, match=r"\(N, 2, 2k, 2k\)"):
        InvertibleDownsampling(2, 2)(torch.ones(1, 2, 3, 4))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_real_transforms_compiled_and_eager(size: int) -> None:
    """Inside a compiled graph they are operators with derivatives of their own."""
    x = double(2, 3, size).requires_grad_()

    def run(x: Tensor) -> Tensor:
        spectrum = real_fft(x, 2)
        return inverse_real_fft(spectrum * spectrum, 2, size)

    assert torch.allclose(torch.view_as_complex(real_fft(x, 2)), torch.fft.rfft2(x))
    torch._dynamo.reset()
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    weights = double(2, 3, size, seed=5)
    wanted = torch.autograd.grad((run(x) * weights).sum(), x)[0]
    actual = torch.autograd.grad((compiled(x) * weights).sum(), x)[0]
    assert torch.allclose(actual, wanted)


def test_triangles_are_filled_row_by_row() -> None:
    filled = fill_below_diagonal(torch.arange(12.0).view(2, 6), 4)
    rows, columns = torch.tril_indices(4, 4, -1)
    assert torch.equal(filled[:, rows, columns], torch.arange(12.0).view(2, 6))
    assert not filled.triu().any()


@pytest.mark.parametrize(
    "layer", [CircularConvolution(2, 3), EmergingConvolution(2, 3)], ids=["circular", "emerging"]
)
def test_other_sizes_need_no_other_layer(layer: SpatialLinear) -> None:
    for sizes in ((1, 1), (1, 5), (4, 1), (7, 3)):
        x = torch.randn(2, 2, *sizes)
        assert torch.allclose(layer.inverse(layer(x)), x, atol=1e-5)
