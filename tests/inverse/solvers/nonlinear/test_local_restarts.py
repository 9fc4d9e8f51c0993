"""Newton's method with local restarts, on systems with folds, against Newton's method alone."""

import pytest
import torch
from mobile_block import Mobile, folded

import preimage as pi
from preimage.inverse.solvers.nonlinear.dense_newton import dense_newton
from preimage.inverse.solvers.nonlinear.local_restarts import local_restarts


def problem(seed, places, channels=6, gain=2.6):
    """A block and values that it takes, ``(1, channels, *places)``."""
    torch.manual_seed(seed)
    block = Mobile(channels, len(places), gain).double().requires_grad_(False)
    return block, block(2 * torch.randn(1, channels, *places, dtype=torch.float64))


def missed(f, x, y):
    return ((f(x) - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)).max().item()


def test_more_blocks_are_solved_than_by_newton_alone():
    solved = {"newton": 0, "restarts": 0}
    for seed in (0, 2, 3, 4):
        block, y = problem(seed, (3, 3))
        solved["newton"] += int(dense_newton(block, y, y, tolerance=1e-9)[1].ok)
        x, certificate = local_restarts(block, y, y, tolerance=1e-9)
        assert certificate.ok == (missed(block, x, y) <= 1e-9)
        solved["restarts"] += int(certificate.ok)
    assert solved == {"newton": 0, "restarts": 4}


@pytest.mark.parametrize("places", [(), (5,), (2, 3, 2)], ids=["vector", "line", "volume"])
def test_events_with_any_number_of_axes(places):
    f, y = problem(1, places, 3) if places else (folded, torch.tensor([[4.0, -2.0, 0.7]]).double())
    x, certificate = local_restarts(f, y, y, tolerance=1e-9)
    assert certificate.ok
    assert x.shape == y.shape
    assert missed(f, x, y) <= 1e-9


def test_a_restart_changes_few_places():
    block, y = problem(4, (6, 6))
    seen = []

    def watched(x):
        seen.append(x.detach().clone())
        return block(x)

    def stay(x, miss):
        return torch.zeros_like(x)

    local_restarts(watched, y, y, tolerance=0.0, restarts=8, step=stay)
    counts = {int(((x - y).abs().amax(1)[0] > 0).sum()) for x in seen}
    assert counts == {0, 1, 4}


def test_a_system_without_a_solution_is_not_called_solved():
    y = torch.full((1, 1, 3), -4.0, dtype=torch.float64)
    x, certificate = local_restarts(
        lambda x: x.square() + 1, y, torch.ones_like(y), tolerance=1e-9, restarts=5
    )
    assert not certificate.ok
    assert x.isfinite().all()
    assert "no restart" in certificate.message


def test_no_samples_and_a_start_that_is_the_solution():
    empty = torch.zeros(0, 3, 2)
    assert local_restarts(folded, empty, empty, tolerance=1e-6)[0].shape == (0, 3, 2)
    x = torch.tensor([[[0.3, 2.0]]], dtype=torch.float64)
    found, certificate = local_restarts(folded, folded(x), x, tolerance=1e-9)
    assert torch.equal(found, x)
    assert certificate.ok
    assert int(certificate.iterations) == 0


def test_a_sample_that_is_not_a_number_leaves_the_others_alone():
    block, y = problem(3, (3, 3))
    alone, _ = local_restarts(block, y, y, tolerance=1e-9)
    both = torch.cat([torch.full_like(y, float("nan")), y])
    x, certificate = local_restarts(block, both, both, tolerance=1e-9)
    assert certificate.converged.tolist() == [False, True]
    assert torch.equal(x[1:], alone)


def test_a_newton_step_that_is_given_is_used():
    y, calls = torch.tensor([[[2.0, 0.5, -1.0]]], dtype=torch.float64), []

    def step(x, miss):
        calls.append(x)
        return miss / (1 + 3 * x.cos())

    x, certificate = local_restarts(folded, y, y, tolerance=1e-12, step=step)
    assert certificate.ok
    assert len(calls) >= int(certificate.iterations) > 0
    assert missed(folded, x, y) <= 1e-12


def test_the_inverse_of_a_block_that_stops_newton_and_continuation_is_solved():
    block, y = problem(3, (3, 3))
    answer, certificate = pi.invert(block, torch.zeros_like(y)).data_free(y)
    assert certificate.ok
    assert missed(block, answer, y) <= 1e-9
