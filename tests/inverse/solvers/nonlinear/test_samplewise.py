"""Attempts are merged sample by sample."""

import torch

from preimage.certificate import Certificate
from preimage.inverse.solvers.nonlinear.samplewise import better_of, one_by_one


def evidence(residual, iterations, message=""):
    residual = torch.tensor(residual)
    return Certificate(residual, residual < 0.1, iterations=torch.tensor(iterations), message=message)


def test_the_better_answer_is_kept_and_iterations_add_up():
    found = torch.tensor([[1.0], [2.0], [3.0], [4.0]]), evidence([0.0, 0.5, 0.5, float("nan")], [1, 2, 3, 4])
    later = torch.tensor([[20.0], [30.0], [40.0]]), evidence([0.9, 0.01, 0.2], [10, 20, 30], "stopped")
    x, certificate = better_of(found, torch.tensor([1, 2, 3]), later)
    assert x.flatten().tolist() == [1.0, 2.0, 30.0, 40.0]
    torch.testing.assert_close(certificate.residual, torch.tensor([0.0, 0.5, 0.01, 0.2]))
    assert certificate.iterations.tolist() == [1, 12, 23, 34]
    assert certificate.converged.tolist() == [True, False, True, False]
    assert certificate.message == "stopped"


def test_nothing_is_said_when_all_is_solved():
    found = torch.tensor([[1.0]]), evidence([0.5], [1], "not solved")
    assert better_of(found, torch.tensor([0]), (torch.tensor([[2.0]]), evidence([0.0], [1])))[1].message == ""


def test_samples_are_solved_one_by_one():
    y = torch.tensor([[4.0], [9.0]])
    x, certificate = one_by_one(
        torch.square,
        y,
        torch.ones(2, 1),
        1e-6,
        lambda y, start: (start * y.sqrt() - (y == 9).float(), 7),
        "left",
    )
    assert x.flatten().tolist() == [2.0, 2.0]
    assert certificate.converged.tolist() == [True, False]
    assert certificate.iterations.tolist() == [7, 7]
    assert certificate.message == "left"


def test_an_empty_batch_is_solved():
    none = torch.empty(0, 1)
    x, certificate = one_by_one(torch.square, none, none, 1e-6, lambda y, start: (start, 0), "left")
    assert x.shape == (0, 1)
    assert certificate.ok
