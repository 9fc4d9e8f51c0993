"""Continuation on systems where Newton's method gets stuck, against known solutions and bounds."""

import pytest
import torch
from mobile_block import Mobile, folded

import preimage as pi
from preimage.inverse.solvers.nonlinear.continuation import continuation
from preimage.inverse.solvers.nonlinear.dense_newton import dense_newton


def test_a_folded_function_is_solved_for_every_value():
    y = torch.linspace(-12, 12, 97, dtype=torch.float64)[:, None]
    x, certificate = continuation(folded, y, torch.zeros_like(y), tolerance=1e-9, steps=200)
    assert certificate.converged.all()
    assert (folded(x) - y).abs().max() <= 1e-7


def test_blocks_that_stop_newton_are_solved():
    torch.manual_seed(3)
    solved = {"newton": 0, "continuation": 0}
    for _ in range(6):
        block = Mobile(6, 2, 2.6).double()
        y = block(2 * torch.randn(1, 6, 3, 3, dtype=torch.float64)).detach()
        solved["newton"] += int(dense_newton(block, y, y, tolerance=1e-9)[1].ok)
        x, certificate = continuation(block, y, y, tolerance=1e-9)
        solved["continuation"] += int(certificate.ok)
        missed = ((block(x) - y).norm() / y.norm()).item()
        assert certificate.ok == (missed <= 1e-9)
    assert solved["continuation"] > solved["newton"]


def test_a_system_without_a_solution_is_not_called_solved():
    y = torch.full((1, 1), -4.0, dtype=torch.float64)
    _, certificate = continuation(lambda x: x.square() + 1, y, torch.ones_like(y), tolerance=1e-9)
    assert not certificate.ok
    assert "before the path did" in certificate.message


def test_no_samples_and_a_start_that_is_the_solution():
    empty = torch.zeros(0, 3)
    assert continuation(folded, empty, empty, tolerance=1e-6)[0].shape == (0, 3)
    x = torch.tensor([[0.3, 2.0]], dtype=torch.float64)
    found, certificate = continuation(folded, folded(x), x, tolerance=1e-9)
    assert torch.equal(found, x)
    assert certificate.ok


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_residual_block_of_a_network_is_solved_by_the_inverse(dtype):
    torch.manual_seed(8)
    block = Mobile(4, 2, 2.6).to(dtype).eval()
    y = block(2 * torch.randn(3, 4, 3, 3, dtype=dtype)).detach()
    answer, certificate = pi.invert(block, torch.zeros(1, 4, 3, 3, dtype=dtype)).data_free(y)
    again = ((block(answer) - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)).detach()
    assert certificate.ok
    assert again.max() <= (1e-4 if dtype == torch.float32 else 1e-9)
