"""Steps solved on the output side: against pseudo-inverses, quadratic programs and unreachable values."""

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear, minimize

from preimage.errors import DomainError, ShapeError
from preimage.inverse.calibrate import Spectrum
from preimage.inverse.solvers.nonlinear.allowed import Box, Everywhere
from preimage.inverse.solvers.nonlinear.dual_newton import dual_newton
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.linearisation import Dense, MatrixFree, linearise

KINDS = pytest.mark.parametrize("kind", [Dense, MatrixFree])


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@KINDS
def test_correction_is_the_pseudo_inverse(kind):
    a, r = normal(3, 7), normal(5, 3, seed=1)
    linear = kind(lambda x: (x @ a.T).tanh(), torch.zeros(5, 7).double())
    change = linear.correction(r, torch.zeros(5).double())
    torch.testing.assert_close(change, r @ torch.linalg.pinv(a).T, atol=1e-8, rtol=0)
    torch.testing.assert_close(linear.push(change), r, atol=1e-8, rtol=0)
    torch.testing.assert_close(linear.norm, torch.linalg.matrix_norm(a, 2).expand(5), rtol=0.2, atol=0)


@KINDS
def test_damping_and_metric_are_those_of_the_formula(kind):
    a, root, r = normal(3, 6), normal(6, 6, seed=2), normal(1, 3, seed=1)
    covariance = root @ root.T + torch.eye(6).double()
    linear = kind(lambda x: x @ a.T, torch.zeros(1, 6).double(), Spectrum.of_covariance(covariance))
    size = {Dense: torch.linalg.matrix_norm(a @ covariance @ a.T, 2)}
    v = linear.multiplier(r, torch.full((1,), 0.5).double())
    gram = a @ covariance @ a.T
    shift = 0.5 * size.get(kind, (r @ gram @ r.T / (r @ r.T)).squeeze())
    wanted = torch.linalg.solve(gram + shift * torch.eye(3).double(), r.T).T
    torch.testing.assert_close(v, wanted, rtol=1e-6, atol=0)


def test_a_dead_output_is_left_out_of_the_system():
    linear = Dense(lambda x: torch.stack([x.sum(1), 0 * x.sum(1)], 1), torch.ones(1, 3).double())
    assert linear.rank.tolist() == [1]
    change = linear.correction(torch.tensor([[3.0, 5.0]]).double(), torch.zeros(1).double())
    torch.testing.assert_close(change, torch.ones(1, 3).double())


def test_the_number_of_outputs_decides_what_is_written_down():
    x = torch.zeros(1, 2000)
    assert isinstance(linearise(lambda x: x[:, :10], x, 10), Dense)
    assert isinstance(linearise(lambda x: x, x, 2000), MatrixFree)


@KINDS
def test_box_step_solves_the_bounded_least_norm_problem(kind):
    a, anchor = normal(2, 6), normal(1, 6, seed=1)
    x, inside = torch.full((1, 6), 0.5).double(), torch.rand(1, 6, generator=torch.Generator().manual_seed(3))
    y = inside.double() @ a.T  # reachable inside the box
    box = Box(torch.zeros(1, 6).double(), torch.ones(1, 6).double())
    linear = kind(lambda x: x @ a.T, x)
    found = x + box.change(linear, x, anchor, y - x @ a.T, torch.zeros(1).double())
    wanted = minimize(
        lambda v: 0.5 * ((v - anchor[0].numpy()) ** 2).sum(),
        x[0].numpy(),
        jac=lambda v: v - anchor[0].numpy(),
        bounds=[(0, 1)] * 6,
        constraints={"type": "eq", "fun": lambda v: a.numpy() @ v - y[0].numpy(), "jac": lambda v: a.numpy()},
        options={"ftol": 1e-14},
    )
    assert wanted.success
    np.testing.assert_allclose(found[0].numpy(), wanted.x, atol=1e-5)
    assert found.min() >= 0
    assert found.max() <= 1


def test_no_bounds_take_the_anchor_along():
    a, anchor, x = normal(2, 5), normal(3, 5, seed=1), normal(3, 5, seed=2)
    linear = Dense(lambda x: x @ a.T, x)
    y = normal(3, 2, seed=4)
    found = x + Everywhere().change(linear, x, anchor, y - x @ a.T, torch.zeros(3).double())
    wanted = anchor + (y - anchor @ a.T) @ torch.linalg.pinv(a).T
    torch.testing.assert_close(found, wanted)


def test_reaches_rounding_on_a_curved_map_and_counts_its_products():
    a, b = normal(12, 20) / 4, normal(4, 12, seed=1) / 3

    def f(x):
        return torch.tanh(x @ a.T) @ b.T

    y = f(normal(6, 20, seed=3))
    x, certificate = dual_newton(f, y, torch.zeros(6, 20).double(), effort=Effort(1e-13))
    assert certificate.ok
    torch.testing.assert_close(f(x), y, rtol=1e-12, atol=1e-12)
    assert (certificate.iterations >= 5).all()


def test_stays_in_the_box_and_reaches_what_can_be_reached_there():
    a = normal(3, 30)
    inside = torch.rand(4, 30, generator=torch.Generator().manual_seed(1)).double()

    def f(x):
        return (x @ a.T).atan()

    box = Box(torch.zeros(1, 30).double(), torch.ones(1, 30).double())
    start = torch.full((4, 30), 0.5).double()
    x, certificate = dual_newton(f, f(inside), start, effort=Effort(1e-10), allowed=box)
    assert certificate.ok
    assert x.min() >= 0
    assert x.max() <= 1


def test_the_impossible_is_not_called_solved_and_is_the_bounded_least_squares_point():
    a = normal(2, 3)
    y = torch.tensor([[50.0, -50.0]]).double()  # far outside what the box can give
    box = Box(torch.zeros(1, 3).double(), torch.ones(1, 3).double())
    x, certificate = dual_newton(lambda x: x @ a.T, y, torch.full((1, 3), 0.5).double(), allowed=box)
    assert not certificate.ok
    assert "before it reached" in certificate.message
    best = lsq_linear(a.numpy(), y[0].numpy(), bounds=(0, 1)).x
    reached = (x @ a.T - y).norm().item()
    assert reached <= 1.05 * np.linalg.norm(a.numpy() @ best - y[0].numpy())


def test_a_sample_that_leaves_the_domain_does_not_spoil_the_others():
    y = torch.tensor([[1.0], [2.0]]).double()
    x, certificate = dual_newton(
        lambda x: x.log().sum(1, keepdim=True), y, torch.tensor([[-1.0, 1.0], [1.0, 1.0]]).double()
    )
    assert certificate.converged.tolist() == [False, True]
    torch.testing.assert_close(x[1].log().sum(), y[1, 0], rtol=1e-5, atol=0)


def test_bad_input():
    with pytest.raises(ShapeError, match="must have the same"):
        dual_newton(lambda x: x, torch.zeros(1, 2), torch.zeros(1, 3))
    with pytest.raises(DomainError, match="exceeds its upper"):
        Box(torch.ones(1), torch.zeros(1))
