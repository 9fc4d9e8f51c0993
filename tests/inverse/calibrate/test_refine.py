"""Refinement keeps what is known, lowers the residual, and says what it reached."""

import pytest
import torch
from torch import nn

from preimage.inverse.calibrate import DecoderFit, refine
from preimage.inverse.calibrate.refine import corrected
from preimage.inverse.solvers.nonlinear.effort import Effort


@pytest.fixture(scope="module")
def problem():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 24, 3, 1, 1), nn.ReLU(), nn.Conv2d(24, 8, 3, 1, 1)
    )
    net.requires_grad_(False)
    coarse = torch.randn(80, 3, 8, 8)
    x = nn.functional.interpolate(coarse, size=(16, 16), mode="bicubic") + 0.1 * torch.randn(80, 3, 16, 16)
    y = net(x)
    fit = DecoderFit((3, 16, 16), (8, 8, 8))
    fit.update(x[:64], y[:64], torch.arange(64) // 4)
    return net, fit.solve(), x[64:], y[64:]


def test_residual_falls_and_the_picture_does_not_suffer(problem):
    net, decoder, x, y = problem
    start = decoder(y)
    found, certificate = refine(net, y, decoder)
    assert ((net(found) - y).norm() / (net(start) - y).norm()) < 0.5
    assert (found - x).square().mean() <= (start - x).square().mean()
    assert certificate.iterations.max() <= 16
    torch.testing.assert_close(
        certificate.residual, (net(found) - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)
    )


def test_corrections_are_kept_only_where_they_help(problem):
    net, decoder, _, y = problem
    start = decoder(y)
    found, _ = corrected(net, y, start, decoder)
    before, after = ((net(x) - y).flatten(1).norm(dim=1) for x in (start, found))
    assert (after <= before).all()
    same, _ = corrected(lambda x: -net(x), y, start, decoder)
    assert ((-net(same) - y).flatten(1).norm(dim=1) <= (-net(start) - y).flatten(1).norm(dim=1)).all()


def test_a_start_that_is_right_is_left_alone(problem):
    net, decoder, x, y = problem
    found, certificate = refine(net, y, decoder, start=x)
    assert torch.equal(found, x)
    assert certificate.ok


def test_a_large_budget_is_finished_by_gauss_newton():
    matrix = torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.1]], dtype=torch.float64)
    x = torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def f(x):
        return (x @ matrix.T).sinh()

    fit = DecoderFit((3,), (2,))
    fit.update(x, f(x), torch.arange(40) // 4)
    found, certificate = refine(f, f(x), fit.solve(), effort=Effort(1e-12, 400))
    assert certificate.ok
    torch.testing.assert_close(f(found), f(x), rtol=1e-10, atol=1e-10)
