"""Products of reflections."""

import pytest
import torch
from torch import Tensor

from preimage.errors import NotInvertibleError, ShapeError
from preimage.layers import (
    Orthogonal,
)


def _double(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.shows("0-3", "3-14")
def test_inverse_is_the_transpose() -> None:
    torch.manual_seed(4)
    layer = Orthogonal(30).double()
    y = _double(10, 30)
    assert (layer.inverse(y) - y @ layer.matrix).abs().max() <= 1e-12
    assert (layer.matrix.mT @ layer.matrix - torch.eye(30)).abs().max() <= 1e-12
    _, log_det = layer.forward_and_log_det(y)
    assert not log_det.any()


@pytest.mark.shows("3-14")
@pytest.mark.parametrize("size", [1, 2, 3, 6])
@pytest.mark.parametrize("determinant", [1, -1])
def test_both_determinants_with_any_number_of_reflections(size: int, determinant: int) -> None:
    torch.manual_seed(5)
    for count in range(1, size + 1):
        w = Orthogonal(size, count, determinant=determinant).double().matrix
        assert torch.linalg.det(w).item() == pytest.approx(determinant, abs=1e-12)


@pytest.mark.shows("3-14")
@pytest.mark.parametrize("determinant", [1, -1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_setter_is_exact(determinant: int, dtype: torch.dtype) -> None:
    torch.manual_seed(6)
    matrix = torch.linalg.qr(_double(20, 20)).Q
    matrix[0] *= determinant * torch.linalg.det(matrix).sign()
    error = (Orthogonal.from_matrix(matrix.to(dtype)).matrix - matrix.to(dtype)).abs().max()
    assert error <= 20 * torch.finfo(dtype).eps


@pytest.mark.shows("3-14")
@pytest.mark.parametrize("signs", [[1, 1, 1], [-1, 1, 1], [1, 1, -1], [-1, -1, -1]])
def test_setter_of_diagonal_signs_has_a_live_gradient(signs: list[int]) -> None:
    """No vector is zero, where the map from vectors to matrices has a hole."""
    matrix = torch.tensor(signs, dtype=torch.float64).diag()
    layer = Orthogonal.from_matrix(matrix)
    assert torch.equal(layer.matrix, matrix)
    assert (layer.vectors.norm(dim=1) - 1).abs().max() <= 1e-12
    (layer.matrix * _double(3, 3)).sum().backward()
    assert layer.vectors.grad is not None
    assert layer.vectors.grad.norm() > 1e-3


@pytest.mark.shows("3-14")
@pytest.mark.parametrize("angle", [1e-2, 1e-4, 1e-6])
def test_near_the_identity_float32_keeps_its_digits(angle: float) -> None:
    torch.manual_seed(7)
    generator = _double(6, 6)
    matrix = torch.linalg.matrix_exp(angle * (generator - generator.mT))
    found = Orthogonal.from_matrix(matrix.float()).matrix.double()
    assert (found - matrix).abs().max() <= 4 * torch.finfo(torch.float32).eps


@pytest.mark.shows("3-14")
@pytest.mark.parametrize(
    "matrix", [torch.tensor([2.0, 0.5, 1.0]).diag(), torch.zeros(3, 3), torch.full((3, 3), float("nan"))]
)
def test_setter_refuses_what_is_not_orthogonal(matrix: Tensor) -> None:
    """The first has determinant 1, which a test of the determinant alone would accept."""
    with pytest.raises(NotInvertibleError, match="not orthogonal"):
        Orthogonal.from_matrix(matrix)


def test_setter_needs_all_reflections() -> None:
    with pytest.raises(NotInvertibleError, match="reflections do not reach"):
        Orthogonal(3, 2).set_matrix(torch.eye(3))
    with pytest.raises(ShapeError):
        Orthogonal(3).set_matrix(torch.eye(2))
    with pytest.raises(ValueError, match="wanted 1 to 3"):
        Orthogonal(3, 4)
    with pytest.raises(ValueError, match="wanted 1 or -1"):
        Orthogonal(3, determinant=0)


@pytest.mark.shows("3-14")
def test_bias_is_used() -> None:
    layer = Orthogonal(3)
    with torch.no_grad():
        layer.bias.fill_(5.0)  # pyright: ignore[reportOptionalMemberAccess]
    assert torch.equal(layer(torch.zeros(1, 3)), torch.full((1, 3), 5.0))


@pytest.mark.shows("3-14")
def test_every_rotation_can_be_learned() -> None:
    """Gradient descent from a random start reaches a random target of the same determinant."""
    torch.manual_seed(8)
    target = Orthogonal(4).double().matrix.detach()
    layer = Orthogonal(4, bias=False).double()
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        loss = (layer.matrix - target).square().sum()
        loss.backward()
        optimiser.step()
    assert loss.item() <= 1e-4
