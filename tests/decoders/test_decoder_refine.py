"""The parts of a refinement, each against what can be computed in another way."""

import pytest
import torch

from preimage.decoders.exactly import unsaturated
from preimage.decoders.feedback import fed_back, mixed
from preimage.decoders.refine import refine
from preimage.decoders.search_metric import search_metric
from preimage.decoders.weighing import Weighing, principal, weights
from preimage.inverse.calibrate.metric import Spectrum
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.metric import Identity
from preimage.inverse.solvers.nonlinear.quasi_newton import quasi_newton

SPREAD = torch.ones(1, 1, 1)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def bent(x):
    return x + 0.3 * x.sin()


def error(f, x, y):
    return (f(x) - y).flatten(1).norm(dim=1)


def test_feedback_solves_what_one_pass_of_the_decoder_leaves():
    y = normal(5, 6)

    def decode(v):
        return 0.8 * v

    first, last = error(bent, decode(y), y), error(bent, fed_back(bent, y, decode), y)
    assert bool((last < 0.02 * first).all())


def test_feedback_never_moves_away_from_the_features_even_with_a_useless_decoder():
    y = normal(4, 6)

    def useless(v):
        return -3 * v.roll(1, dims=1)

    assert bool((error(bent, fed_back(bent, y, useless), y) <= error(bent, useless(y), y)).all())


def test_samples_do_not_see_each_other():
    y, scale = normal(3, 4, 5, 5), torch.tensor([1.0, 30.0, 0.1]).view(3, 1, 1, 1)

    def decode(v):
        return 0.7 * v

    together, _ = refine(bent, scale * y, decode, Identity(), effort=Effort(1e-5, 6))
    for n in range(3):
        alone, _ = refine(bent, (scale * y)[n : n + 1], decode, Identity(), effort=Effort(1e-5, 6))
        torch.testing.assert_close(alone[0], together[n], rtol=1e-4, atol=1e-5)


def test_mixing_finds_the_least_residual_among_the_points_of_a_linear_map():
    matrix, y = normal(4, 4), normal(1, 4, seed=1)
    points = [normal(1, 4, seed=seed) for seed in (2, 3, 4)]
    residuals = [y - p @ matrix.T for p in points]
    x, residual = mixed(points, residuals)
    span = torch.cat([points[2] - points[0], points[2] - points[1]]).T.double()  # (4, 2)
    images = matrix.double() @ span
    best = (residuals[2].double().T - images @ torch.linalg.pinv(images) @ residuals[2].double().T).norm()
    found = (y - x @ matrix.T).norm()
    torch.testing.assert_close(residual, y - x @ matrix.T, rtol=1e-4, atol=1e-5)
    assert float(best) <= float(found) < 1.2 * float(best)


@pytest.mark.parametrize("shape", [(2, 5, 8, 8), (2, 7, 2, 2), (2, 64, 5)])
def test_weights_are_the_fourth_root_of_the_inverse_covariance(shape):
    residual = normal(*shape)
    weighing = Weighing(residual)
    maps = (residual.mT if len(shape) == 3 else residual.flatten(2))[1].double()  # (C, P)
    channels, positions = maps.shape
    shrink = channels / (channels + positions)
    scale = maps.square().mean()
    wanted = (1 - shrink) * maps @ maps.T / positions / scale + shrink * torch.eye(channels)
    fourth = torch.linalg.matrix_power(weighing.matrix[1].double(), 4)
    torch.testing.assert_close(fourth @ wanted, torch.eye(channels).double(), rtol=1e-3, atol=1e-3)
    rows = torch.tensor([1])
    assert weighing(residual[1:], rows).shape == residual[1:].shape
    flat = (weighing(residual[1:], rows).mT if len(shape) == 3 else weighing(residual[1:], rows))[0]
    torch.testing.assert_close(flat.flatten(1), weighing.matrix[1] @ maps.float(), rtol=1e-4, atol=1e-5)


def test_single_positions_zeros_and_nans_are_not_weighed():
    rows = torch.tensor([0])
    for residual in (normal(1, 9), normal(1, 9, 1, 1), normal(1, 3, 4, 4) * float("nan")):
        assert Weighing(residual)(residual, rows) is residual
    assert torch.equal(weights(torch.zeros(3, 4), 0.5), torch.eye(3))


def test_principal_directions_from_the_smaller_side():
    for shape in ((3, 8), (8, 3)):
        a = normal(*shape).double()
        vectors, sizes = principal(a)
        torch.testing.assert_close((vectors * sizes) @ vectors.T, a @ a.T)


def test_weighed_descent_mends_small_channels_sooner():
    scale = torch.tensor([10.0, 1.0, 0.3]).view(3, 1, 1)
    truth = normal(2, 3, 6, 6)

    def f(x):
        return scale * bent(x)

    y, start, effort = f(truth), torch.zeros_like(truth), Effort(1e-9, 12)
    plain, _ = quasi_newton(f, y, start, effort=effort)
    weighed, _ = quasi_newton(f, y, start, effort=effort, weigh=Weighing(y - f(start)))
    assert bool((error(bent, weighed, bent(truth)) < 0.9 * error(bent, plain, bent(truth))).all())


def test_the_answer_is_never_farther_from_the_features_than_the_start():
    y = normal(3, 4, 4, 4)

    def f(x):
        return (3 * x).sin() * torch.tensor([1.0, 50.0, 0.1, 1.0]).view(4, 1, 1)

    start = normal(3, 4, 4, 4, seed=5)
    x, certificate = refine(f, y, lambda v: v, Identity(), start=start, effort=Effort(1e-6, 5))
    assert bool((error(f, x, y) <= error(f, start, y)).all())
    torch.testing.assert_close(certificate.residual, error(f, x, y) / y.flatten(1).norm(dim=1))


def falling() -> Spectrum:
    return Spectrum.of_errors(normal(64, 1, 16, 16).cumsum(2).cumsum(3))


def test_the_metric_drops_what_a_tap_is_too_small_to_decide():
    errors = falling()
    found = search_metric(errors, 100 * SPREAD, (8, 4, 4))  # decides 64 of 256 frequencies
    share = (found.gain / errors.gain).flatten()[errors.gain.flatten().argsort(descending=True)]
    assert bool((share[:32] > 0.5).all())
    assert float(share[64]) == pytest.approx(0.5, abs=0.05)
    assert float(share[-1]) < 0.2


def test_the_metric_is_flatter_where_all_is_seen_and_where_little_is_known():
    errors = falling()
    seen, unknown = search_metric(errors, 100 * SPREAD, (4, 8, 8)), search_metric(errors, SPREAD, (4,))
    torch.testing.assert_close(seen.gain, errors.power(0.25).gain)
    torch.testing.assert_close(unknown.gain, errors.power(0.5).gain)


def test_clamped_numbers_tell_less():
    y = torch.tensor([[0.0, 0.0, 1.0, 6.0, 6.0], [0.0, 1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0, 2.0]])
    assert unsaturated(y).clamp_min(0).tolist() == [1, 5, 0]
