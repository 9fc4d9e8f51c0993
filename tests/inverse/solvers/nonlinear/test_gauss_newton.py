"""Both nonlinear solvers against pseudo-inverses and exact solutions, and their honesty about failure."""

import pytest
import torch

from preimage.errors import ShapeError
from preimage.inverse.calibrate import Spectrum
from preimage.inverse.solvers.linear_systems.least_squares import damped_least_squares
from preimage.inverse.solvers.nonlinear.gauss_newton import Effort, gauss_newton
from preimage.inverse.solvers.nonlinear.jacobian import Jacobian
from preimage.inverse.solvers.nonlinear.quasi_newton import quasi_newton

SOLVERS = pytest.mark.parametrize("solver", [gauss_newton, quasi_newton])


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def residual_block(x):
    return x + 1.2 * (x @ (normal(8, 8, seed=3) / 4)).tanh()


@SOLVERS
def test_linear_map_gives_the_nearest_solution_to_the_start(solver):
    a, start = normal(3, 6), normal(4, 6, seed=1)
    y = normal(4, 3, seed=2)
    x, certificate = solver(lambda x: x @ a.T, y, start, effort=Effort(1e-11, 300))
    assert certificate.ok
    wanted = start + (y - start @ a.T) @ torch.linalg.pinv(a).T
    torch.testing.assert_close(x, wanted, atol=1e-8, rtol=0)


@SOLVERS
def test_metric_weighs_the_change(solver):
    a, root = normal(3, 6), normal(6, 6, seed=5)
    covariance = root @ root.T + torch.eye(6, dtype=torch.float64)
    y, start = normal(2, 3, seed=2), torch.zeros(2, 6, dtype=torch.float64)
    metric = Spectrum.of_covariance(covariance)
    x, certificate = solver(lambda x: x @ a.T, y, start, effort=Effort(1e-11, 400), metric=metric)
    assert certificate.ok
    wanted = covariance @ a.T @ torch.linalg.inv(a @ covariance @ a.T)
    torch.testing.assert_close(x, y @ wanted.T, atol=1e-7, rtol=0)


def test_residual_block_is_solved_to_machine_precision():
    y = residual_block(normal(5, 8))
    x, certificate = gauss_newton(residual_block, y, y, effort=Effort(1e-10, 400))
    assert certificate.ok
    torch.testing.assert_close(residual_block(x), y, rtol=1e-9, atol=1e-10)
    assert (certificate.iterations > 0).all()


@SOLVERS
def test_contracting_network_gets_an_exact_preimage(solver):
    a, b = normal(12, 20), normal(5, 12, seed=1)

    def f(x):
        return torch.nn.functional.leaky_relu(x @ a.T, 0.3) @ b.T

    y = f(normal(6, 20, seed=2))
    x, certificate = solver(f, y, torch.zeros(6, 20, dtype=torch.float64) + 0.1, effort=Effort(1e-9, 600))
    assert certificate.ok
    torch.testing.assert_close(f(x), y, rtol=1e-7, atol=1e-7)


@SOLVERS
def test_samples_do_not_see_each_other(solver):
    y = residual_block(normal(3, 8))
    scales = torch.tensor([[1.0], [30.0], [0.01]], dtype=torch.float64)
    effort = Effort(1e-8, 60)
    together, _ = solver(residual_block, y * scales, y * scales, effort=effort)
    for n in range(3):
        alone, _ = solver(residual_block, (y * scales)[n : n + 1], (y * scales)[n : n + 1], effort=effort)
        torch.testing.assert_close(together[n : n + 1], alone, rtol=1e-5, atol=1e-7)


@SOLVERS
def test_unreachable_and_broken_samples_are_flagged_and_the_others_solved(solver):
    y = torch.tensor([[4.0], [-1.0], [float("nan")], [9.0]], dtype=torch.float64)
    x, certificate = solver(lambda x: x.square(), y, torch.ones_like(y), effort=Effort(1e-9, 100))
    assert certificate.converged.tolist() == [True, False, False, True]
    torch.testing.assert_close(x[[0, 3]], torch.tensor([[2.0], [3.0]], dtype=torch.float64))
    assert certificate.message
    reached = (x[1].square() + 1).abs()
    torch.testing.assert_close(certificate.residual[1:2], reached)


@SOLVERS
def test_a_map_that_becomes_infinite_does_not_poison_the_answer(solver):
    y = torch.tensor([[3.0]], dtype=torch.float64)
    x, certificate = solver(lambda x: x.exp().exp(), y, torch.full_like(y, 1.0), effort=Effort(1e-9, 100))
    assert certificate.ok
    assert x.item() == pytest.approx(torch.tensor(3.0).log().log().item(), abs=1e-5)


@SOLVERS
def test_budget_is_kept(solver):
    y = residual_block(normal(3, 8))
    _, certificate = solver(residual_block, y, torch.zeros_like(y), effort=Effort(1e-14, 7))
    assert (certificate.iterations <= 7).all()
    assert not certificate.ok


@SOLVERS
def test_empty_batch_and_solved_start_cost_nothing(solver):
    empty = torch.zeros(0, 8, dtype=torch.float64)
    x, certificate = solver(residual_block, empty, empty)
    assert x.shape == (0, 8)
    assert certificate.ok
    start = normal(2, 8)
    x, certificate = solver(residual_block, residual_block(start), start)
    assert torch.equal(x, start)


@SOLVERS
def test_wrong_shape_is_named(solver):
    with pytest.raises(ShapeError, match="shape"):
        solver(residual_block, torch.zeros(2, 5), torch.zeros(2, 8).double())


def test_jacobian_products_are_those_of_autograd():
    def f(x):
        return torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin(), x.square().sum(1)], 1)

    x = normal(1, 3)
    dense = torch.autograd.functional.jacobian(f, x)[0, :, 0]
    jacobian, t = Jacobian(f, x), normal(1, 3, seed=1)
    torch.testing.assert_close(jacobian.value, f(x))
    torch.testing.assert_close(jacobian.push(t), t @ dense.T)
    torch.testing.assert_close(jacobian.pull(t), t @ dense)


def test_jacobian_of_a_constant_is_zero():
    jacobian = Jacobian(torch.ones_like, normal(2, 3))
    assert not jacobian.push(normal(2, 3)).any()
    assert not jacobian.pull(normal(2, 3)).any()


def test_damped_least_squares_solves_the_normal_equations():
    a, b, damping = normal(7, 4), normal(3, 7, seed=1), torch.tensor([0.0, 0.1, 5.0], dtype=torch.float64)
    found = damped_least_squares(
        lambda u: u @ a.T, lambda r: r @ a, b, damping, iterations=50, tolerance=1e-14
    )
    gradient = b @ a
    shift = damping * (gradient @ a.T).square().sum(1) / gradient.square().sum(1)
    for n in range(3):
        wanted = torch.linalg.solve(a.T @ a + shift[n] * torch.eye(4, dtype=torch.float64), a.T @ b[n])
        torch.testing.assert_close(found.solution[n], wanted)
    torch.testing.assert_close(found.residual, b - found.solution @ a.T)
