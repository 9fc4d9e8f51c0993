"""Parametrised linear layers against dense matrices, beyond the laws that every bijection keeps."""

import math

import pytest
import torch
from torch import Tensor

from preimage import Chain
from preimage.errors import NotConvergedError, NotInvertibleError, ShapeError
from preimage.layers import (
    AlongDimensions,
    CayleyOrthogonal,
    ExponentialLinear,
    ExponentialOrthogonal,
    FeatureLinear,
    LowerTriangularLinear,
    LULinear,
    QRLinear,
    SkewOrthogonal,
    UpperTriangularLinear,
    WoodburyLinear,
)

ORTHOGONAL = [CayleyOrthogonal, ExponentialOrthogonal]


def _double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


def _orthogonal(size: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(size, size, dtype=torch.float64, generator=generator)).Q


def _check_dense(layer: FeatureLinear, matrix: Tensor) -> None:
    """Both directions and the log_det against a matrix, for vectors and pictures."""
    x = _double(3, matrix.shape[0], 2, 3)
    y, log_det = layer.forward_and_log_det(x)
    assert torch.allclose(y, torch.einsum("ij,njhw->nihw", matrix, x), atol=1e-11)
    back, opposite = layer.inverse_and_log_det(y)
    assert torch.allclose(back, x, atol=1e-9)
    wanted = 6 * torch.linalg.slogdet(matrix).logabsdet
    assert torch.allclose(log_det, wanted.expand(3), atol=1e-10)
    assert torch.allclose(opposite, -log_det, atol=1e-12)


@pytest.mark.parametrize("kind", ORTHOGONAL)
@pytest.mark.parametrize("size", [2, 5, 20])
@pytest.mark.parametrize("mirrored", [False, True])
def test_every_orthogonal_matrix_is_a_start(kind: type[SkewOrthogonal], size: int, mirrored: bool) -> None:
    matrix = _orthogonal(size)
    matrix[0] *= torch.linalg.det(matrix) * (-1 if mirrored else 1)
    layer = kind.from_matrix(matrix)
    assert (layer.matrix - matrix).abs().max() < 1e-13
    _check_dense(layer, matrix)


@pytest.mark.parametrize("kind", ORTHOGONAL)
@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_starts_with_eigenvalue_minus_one(kind: type[SkewOrthogonal], size: int) -> None:
    """Where the Cayley map and the logarithm have no value: the signs step in."""
    for matrix in (torch.eye(size), -torch.eye(size), torch.eye(size).flip(0)):
        assert torch.allclose(kind.from_matrix(matrix.double()).matrix, matrix.double(), atol=1e-14)
    householder = torch.eye(size).double() - 2 / size
    assert torch.allclose(kind.from_matrix(householder).matrix, householder, atol=1e-14)


@pytest.mark.parametrize("kind", ORTHOGONAL)
@pytest.mark.parametrize("scale", [0.0, 1e-8, 1.0, 100.0])
def test_orthogonal_for_any_parameters(kind: type[SkewOrthogonal], scale: float) -> None:
    for dtype, error in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        layer = kind(16).to(dtype)
        with torch.no_grad():
            layer.entries.mul_(scale)
        w = layer.matrix
        assert (w.mT @ w - torch.eye(16, dtype=dtype)).abs().max() < error


@pytest.mark.parametrize("kind", ORTHOGONAL)
def test_matrices_that_are_not_orthogonal_are_refused(kind: type[SkewOrthogonal]) -> None:
    with pytest.raises(NotInvertibleError, match="not orthogonal"):
        kind.from_matrix(2 * torch.eye(3))
    with pytest.raises(ShapeError, match="square"):
        kind.from_matrix(torch.ones(2, 3))


def test_exponential_against_a_series() -> None:
    layer = ExponentialLinear(4, bias=False).double()
    with torch.no_grad():
        layer.exponent.copy_(_double(4, 4))
    series = sum(
        torch.linalg.matrix_power(layer.exponent.detach(), k) / float(math.factorial(k)) for k in range(60)
    )
    assert isinstance(series, Tensor)
    _check_dense(layer, series)


def test_exponential_that_overflows_is_not_silent() -> None:
    layer = ExponentialLinear(2)
    with torch.no_grad():
        layer.exponent.copy_(torch.tensor([[60.0, 0.0], [0.0, -60.0]]))
    with pytest.raises(NotConvergedError):
        layer.certified_inverse(torch.tensor([[1e-20, 1e20]]))


@pytest.mark.parametrize("size", [1, 2, 7])
def test_qr_and_triangular_starts(size: int) -> None:
    matrix = _double(size, size) + torch.eye(size)
    _check_dense(QRLinear.from_matrix(matrix), matrix)
    _check_dense(LowerTriangularLinear.from_matrix(matrix.tril()), matrix.tril())
    _check_dense(UpperTriangularLinear.from_matrix(matrix.triu()), matrix.triu())


def test_singular_starts_are_refused() -> None:
    with pytest.raises(NotInvertibleError, match="singular"):
        QRLinear.from_matrix(torch.zeros(2, 2))
    with pytest.raises(NotInvertibleError, match="upper triangular"):
        UpperTriangularLinear.from_matrix(torch.ones(2, 2))
    with pytest.raises(NotInvertibleError, match="lower triangular"):
        LowerTriangularLinear.from_matrix(torch.zeros(2, 2))


@pytest.mark.parametrize(("size", "rank"), [(5, 1), (5, 5), (3, 8), (1, 1)])
def test_woodbury_against_the_dense_matrix(size: int, rank: int) -> None:
    layer = WoodburyLinear(size, rank, bias=False).double()
    with torch.no_grad():
        layer.right.copy_(_double(size, rank))
        layer.log_scale.copy_(_double(size))
    matrix = layer.log_scale.exp().diag() + layer.left @ layer.right.mT
    _check_dense(layer, matrix.detach())


def test_woodbury_with_tiny_scales_is_refined() -> None:
    """U V' is 1e5 times D: without refinement the cancellation costs five digits more."""
    layer = WoodburyLinear(6, 3, bias=False).double()
    with torch.no_grad():
        layer.right.copy_(_double(6, 3))
        layer.log_scale.fill_(math.log(1e-5))
    x = _double(4, 6)
    y = layer(x)
    matrix = layer.matrix.detach()
    condition = torch.linalg.cond(matrix).item()
    residual = (layer(layer.inverse(y)) - y).norm() / y.norm()
    assert residual < 1e-14 * math.sqrt(condition)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_singular_woodbury_is_refused(dtype: torch.dtype) -> None:
    """D + U V' = diag(1, 1) - diag(1, 0)."""
    layer = WoodburyLinear(2, 1, bias=False).to(dtype)
    with torch.no_grad():
        layer.left.copy_(torch.tensor([[1.0], [0.0]]))
        layer.right.copy_(torch.tensor([[-1.0], [0.0]]))
    with pytest.raises(NotInvertibleError, match="lost its rank"):
        layer.inverse(torch.ones(1, 2, dtype=dtype))
    with pytest.raises(ValueError, match="rank"):
        WoodburyLinear(2, 0)


def test_along_dimensions_is_a_kronecker_product() -> None:
    matrix = _double(6, 6) + torch.eye(6)
    layer = AlongDimensions(LULinear.from_matrix(matrix, bias=False), (2, 3))
    x = _double(2, 4, 2, 3)
    y, log_det = layer.forward_and_log_det(x)
    wanted = torch.einsum("ij,ncj->nci", matrix, x.flatten(2)).view_as(x)
    assert torch.allclose(y, wanted)
    assert torch.allclose(log_det, 4 * torch.linalg.slogdet(matrix).logabsdet.expand(2))
    woodbury = Chain(WoodburyLinear(4, 2), AlongDimensions(WoodburyLinear(6, 2), (2, 3))).double()
    assert torch.allclose(woodbury.inverse(woodbury(x)), x)


def test_along_dimensions_checks_what_it_gets() -> None:
    layer = AlongDimensions(LULinear(6), (2, 3))
    with pytest.raises(ShapeError, match="wanted a dimension 3"):
        layer(torch.ones(2, 6))
    with pytest.raises(ShapeError, match="6"):
        layer(torch.ones(2, 3, 3, 3))
    for dims in ((), (0,), (1, 1), (-1,)):
        with pytest.raises(ValueError, match="dims"):
            AlongDimensions(LULinear(6), dims)


@pytest.mark.parametrize("kind", [CayleyOrthogonal, ExponentialOrthogonal, QRLinear, LowerTriangularLinear])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_inputs_come_back(kind: type[FeatureLinear], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = kind(8).to(dtype)
    x = 1e6 * torch.randn(16, 8, dtype=dtype)
    back, certificate = layer.certified_inverse(layer(x))
    assert certificate.ok
    assert (back - x).norm() / x.norm() < 100 * torch.finfo(dtype).eps
