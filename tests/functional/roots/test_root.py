"""Systems of equations are solved, or reported as unsolved."""

import pytest
import torch

from preimage.functional.matrices.jacobian import row_jacobian, row_norm
from preimage.functional.roots import anderson, newton_system, refine

torch.manual_seed(0)
ROTATION = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64)).Q


def contraction(strength):
    """x plus a map that turns and shrinks, the hardest kind for plain steps."""
    return lambda x: x + strength * torch.sin(x @ ROTATION.to(x.dtype))


@pytest.mark.parametrize("solver", [newton_system, anderson])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contractions(solver, scale, dtype):
    y = scale * torch.randn(7, 6, dtype=dtype)
    function = contraction(0.97)
    found = solver(function, y, y)
    assert found.converged.all()
    residual = row_norm(y - function(found.x)) / (row_norm(y) + row_norm(found.x))
    assert (residual <= 20 * torch.finfo(dtype).eps).all()
    torch.testing.assert_close(residual, found.residual, atol=torch.finfo(dtype).eps, rtol=0.01)


@pytest.mark.parametrize("solver", [newton_system, anderson])
def test_what_has_no_solution_is_not_converged(solver):
    y = torch.tensor([[-1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    found = solver(lambda x: x.square(), y, torch.full_like(y, 1.5), rate=0.1)
    assert found.converged.tolist() == [False, True]


@pytest.mark.parametrize("solver", [newton_system, anderson])
def test_rows_of_nan_do_not_disturb_the_others(solver):
    y = torch.randn(3, 6, dtype=torch.float64)
    clean = solver(contraction(0.5), y[1:], y[1:]).x
    y[0] = torch.nan
    found = solver(contraction(0.5), y, y)
    assert found.converged.tolist() == [False, True, True]
    torch.testing.assert_close(found.x[1:], clean, atol=1e-14, rtol=0)


@pytest.mark.parametrize("solver", [newton_system, anderson])
def test_empty(solver):
    y = torch.zeros(0, 6)
    assert solver(contraction(0.5), y, y).x.shape == (0, 6)


def test_anderson_is_faster_than_plain_steps():
    y = torch.randn(20, 6, dtype=torch.float64)
    function = contraction(0.9)
    x, steps = y, 0
    while (row_norm(y - function(x)) > 1e-14 * row_norm(y)).any():
        x, steps = x + (y - function(x)), steps + 1
    assert anderson(function, y, y).iterations < steps / 2


def test_refined_roots_have_second_derivatives():
    def root(y, shift):
        function = lambda x: x + 0.5 * torch.sin(x @ ROTATION + shift)  # noqa: E731
        return refine(function, y, newton_system(function, y, y).x)

    y = torch.randn(1, 6, dtype=torch.float64, requires_grad=True)
    shift = torch.randn(6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(root, (y, shift), fast_mode=True)
    assert torch.autograd.gradgradcheck(root, (y, shift), fast_mode=True)


def test_row_jacobian_against_autograd():
    x = torch.randn(3, 4, dtype=torch.float64)
    weight = torch.randn(4, 5, dtype=torch.float64)
    function = lambda x: torch.tanh(x @ weight) * x[:, :1]  # noqa: E731
    wanted = torch.stack(
        [torch.autograd.functional.jacobian(lambda v: function(v[None])[0], row) for row in x]
    )
    torch.testing.assert_close(row_jacobian(function, x), wanted)


def test_row_norm_does_not_overflow():
    assert row_norm(torch.tensor([[3e38, 0.0], [0.0, 0.0], [1e-38, 0.0]])).isfinite().all()
    assert row_norm(torch.tensor([[torch.nan, 1.0]])).isnan().all()
