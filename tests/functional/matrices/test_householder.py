"""Householder products and QR against explicit reflections."""

import pytest
import torch
from torch import Tensor

from preimage.functional import apply_reflections, householder_qr, undo_reflections


def _explicit(vectors: Tensor) -> Tensor:
    """H_1 H_2 ... H_m, one outer product after the other."""
    size = vectors.shape[1]
    product = torch.eye(size, dtype=vectors.dtype)
    for v in vectors:
        product = product @ (torch.eye(size, dtype=v.dtype) - 2 * torch.outer(v, v) / (v @ v))
    return product


@pytest.mark.shows("3-14")
@pytest.mark.parametrize(("count", "size"), [(1, 1), (3, 3), (2, 7), (7, 4), (64, 70), (130, 150)])
def test_blocks_equal_the_explicit_product(count: int, size: int) -> None:
    torch.manual_seed(0)
    vectors, x = torch.randn(count, size).double(), torch.randn(5, size).double()
    wanted = _explicit(vectors)
    assert (apply_reflections(x, vectors) - x @ wanted.mT).abs().max() <= 1e-12
    assert (undo_reflections(x, vectors) - x @ wanted).abs().max() <= 1e-12


@pytest.mark.shows("3-14")
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_orthogonal_for_any_parameters(scale: float) -> None:
    """Squares of these lengths leave the range of float32."""
    torch.manual_seed(1)
    w = apply_reflections(torch.eye(6), scale * torch.randn(6, 6))
    assert (w @ w.mT - torch.eye(6)).abs().max() <= 2e-6


def test_zeros_reflect_nothing_and_have_a_finite_gradient() -> None:
    vectors = torch.zeros(3, 4, requires_grad=True)
    x = torch.randn(2, 4)
    y = apply_reflections(x, vectors)
    assert torch.equal(y, x)
    y.sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()


def test_gradient_is_orthogonal_to_the_vectors() -> None:
    """The length of a vector does not matter, so the gradient has no part along it."""
    torch.manual_seed(2)
    vectors = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    x = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    (apply_reflections(x, vectors) ** 3).sum().backward()
    assert vectors.grad is not None
    assert ((vectors.grad * vectors).sum(1)).abs().max() <= 1e-12
    assert torch.autograd.gradcheck(apply_reflections, (x, vectors))


@pytest.mark.shows("3-15")
@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (1, 1), (1, 5), (5, 1), (20, 20)])
def test_qr_of_any_shape(shape: tuple[int, int]) -> None:
    torch.manual_seed(3)
    a = torch.randn(shape, dtype=torch.float64)
    vectors, r = householder_qr(a)
    assert vectors.shape == (min(shape), shape[0])
    assert (apply_reflections(r.mT, vectors).mT - a).abs().max() <= 1e-12
    assert (r.diagonal() >= 0).all()
    assert torch.equal(r, r.triu())
    assert torch.equal(vectors, vectors.triu())
    wanted = torch.linalg.qr(a).R
    assert (r.abs()[: min(shape)] - wanted.abs()).abs().max() <= 1e-12


@pytest.mark.shows("3-15")
def test_qr_does_not_cancel_near_the_identity() -> None:
    """The plain formula a_0 - |a| is 0 here in float32; its true value is about -5e-11."""
    vectors, _ = householder_qr(torch.tensor([[1.0], [1e-5]]))
    ratio = (vectors[0, 0] / vectors[0, 1]).item()
    assert ratio == pytest.approx(-5e-6, rel=1e-5)


def test_qr_of_the_identity_and_of_zeros() -> None:
    for matrix in (torch.eye(3), torch.zeros(3, 3)):
        vectors, r = householder_qr(matrix)
        assert torch.equal(r, matrix)
        assert not vectors.any()
