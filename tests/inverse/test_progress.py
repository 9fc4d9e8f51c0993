"""Long solves: watched, stopped, interrupted; the best answer so far comes with true evidence."""

import io
import itertools

import pytest
import torch
from torch import nn

import preimage as pi
from preimage.certificate import relative_residual


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 20), nn.Tanh(), nn.Linear(20, 8), nn.Tanh()).double()


@pytest.fixture(params=["data-free", "calibrated"])
def inverse(network, request):
    x = torch.randn(60, 12, generator=torch.Generator().manual_seed(1)).double()
    return pi.invert(network, x[:1], x if request.param == "calibrated" else None)


@pytest.fixture(scope="module")
def target(network):
    x = torch.randn(5, 12, generator=torch.Generator().manual_seed(2)).double()
    return network(x).detach()


def solve(inverse, y, progress, start=None):
    start = torch.zeros(5, 12).double() if start is None else start
    return inverse.solve(y, start=start, tol=1e-12, max_products=400, progress=progress)


def test_every_step_is_shown_and_never_gets_worse(inverse, target):
    seen = []
    _, certificate = solve(inverse, target, lambda step, residual: seen.append((step, residual.clone())))
    assert certificate.ok
    assert [step for step, _ in seen] == list(range(1, len(seen) + 1))
    assert len(seen) > 2
    for (_, before), (_, after) in itertools.pairwise(seen):
        assert (after <= before * (1 + 1e-9)).all()


def test_a_true_answer_stops_with_the_best_so_far(inverse, network, target):
    x, certificate = solve(inverse, target, lambda step, _: step == 2)
    assert "stopped after 2 steps" in certificate.message
    assert not certificate.ok
    torch.testing.assert_close(certificate.residual, relative_residual(network(x), target).detach())
    start = relative_residual(network(torch.zeros(5, 12).double()), target)
    assert (certificate.residual < start).all()


def test_the_interrupt_key_leaves_a_usable_answer(inverse, network, target):
    def progress(step, residual):
        if step == 3:
            raise KeyboardInterrupt

    x, certificate = solve(inverse, target, progress)
    assert "interrupted in step" in certificate.message
    torch.testing.assert_close(certificate.residual, relative_residual(network(x), target).detach())


def test_an_interrupt_in_the_middle_of_a_step_leaves_true_evidence(inverse, network, target, monkeypatch):
    from preimage.inverse import equation as module

    calls, evaluate = [], module.evaluate

    def counting(*arguments):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    monkeypatch.setattr(module, "evaluate", counting)
    x, certificate = solve(inverse, target, None)
    assert "interrupted in step" in certificate.message
    torch.testing.assert_close(certificate.residual, relative_residual(network(x), target).detach())


def test_other_errors_of_the_callback_go_on_their_way(inverse, target):
    with pytest.raises(ZeroDivisionError):
        solve(inverse, target, lambda step, residual: 1 / 0)


def test_the_answer_does_not_depend_on_being_watched(inverse, target):
    alone, watched = solve(inverse, target, None)[0], solve(inverse, target, lambda *_: False)[0]
    assert torch.equal(alone, watched)


def test_a_bar_shows_residuals_and_calibration(network, target):
    out = io.StringIO()
    bar = pi.ProgressBar(file=out, mininterval=0)
    x = torch.randn(60, 12, generator=torch.Generator().manual_seed(1)).double()
    inverse = pi.invert(network, x[:1], x, progress=bar)
    solve(inverse, target, bar)
    bar.close()
    assert "statistics" in out.getvalue()
    assert "residual largest=" in out.getvalue()
