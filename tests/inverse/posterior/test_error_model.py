"""How estimates err: likely sizes and quantiles against known truths, numpy and scipy."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from preimage.errors import DomainError, NonFiniteError, ShapeError
from preimage.inverse.posterior.activity import COLUMNS, Activity, box_mean
from preimage.inverse.posterior.error_fit import ErrorFit
from preimage.inverse.posterior.error_model import ErrorModel
from preimage.inverse.posterior.measure import in_turn
from preimage.inverse.posterior.quantiles import (
    honest_quantiles,
    interpolate,
    left_out_levels,
    weighted_quantiles,
)
from preimage.inverse.posterior.spread import fit_spread


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_likely_sizes_are_the_minimum_that_scipy_finds():
    z = torch.cat([torch.ones(200, 1).double(), normal(200, 2)], 1)
    size = (normal(200, seed=1) * torch.exp(z @ torch.tensor([0.3, 1.0, -0.5]).double())).abs()
    weight = torch.rand(200, generator=torch.Generator().manual_seed(2)).double()
    weight, start = weight / weight.sum(), torch.tensor([0.0, 0.5, 0.0]).double()

    def loss(w):
        exponent = z.numpy() @ w
        fit = (weight.numpy() * (exponent + size.numpy() * np.exp(-exponent))).sum()
        return fit + 0.05 * ((w - start.numpy()) ** 2).sum()

    wanted = minimize(loss, np.zeros(3), method="BFGS", tol=1e-10).x
    found = fit_spread(z, size, weight, start, 0.1)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


def test_quantiles_are_those_of_numpy():
    scores, levels = normal(999), torch.tensor([0.1, 0.5, 0.9]).double()
    found = weighted_quantiles(scores, torch.ones(999).double(), levels)
    wanted = np.quantile(scores.numpy(), levels.numpy(), method="hazen")
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-12)
    doubled = weighted_quantiles(torch.cat([scores, scores[:500]]), torch.ones(1499).double(), levels)
    weighted = weighted_quantiles(
        scores, torch.cat([torch.full((500,), 2.0), torch.ones(499)]).double(), levels
    )
    torch.testing.assert_close(doubled, weighted, atol=2e-2, rtol=0)
    knots, values = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.0, 10.0, 0.0])
    assert interpolate(torch.tensor([-1.0, 0.5, 1.5, 9.0]), knots, values).tolist() == [0.0, 5.0, 5.0, 0.0]


def test_means_over_boxes_are_those_of_loops():
    x = normal(1, 1, 5, 7)
    found = box_mean(x, 3)
    for i in range(5):
        for j in range(7):
            part = x[0, 0, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
            assert found[0, 0, i, j].item() == pytest.approx(part.mean().item())
    assert box_mean(normal(2, 1, 4, 1), 3).shape == (2, 1, 4, 1)


def edged_pictures(count, seed=0):
    """Pictures of which the right half is busy, and an estimate that errs four times as much there."""
    x = 0.02 * normal(count, 2, 12, 16, seed=seed)
    x[..., 8:] += normal(count, 2, 12, 8, seed=seed + 1)
    size = torch.full((12, 16), 0.1).double()
    size[:, 8:] = 0.4
    error = size * normal(count, 2, 12, 16, seed=seed + 2)
    return x + error, x


def fitted(estimate, y, x, sources):
    fit = ErrorFit(x.shape[1:], y.shape[1:])
    for rows in torch.arange(len(x)).split(16):
        fit.update(estimate[rows], y[rows], x[rows], sources[rows])
    return fit.solve()


def test_busy_places_get_wider_intervals_and_each_the_right_coverage():
    estimate, x = edged_pictures(60)
    y = torch.nn.functional.avg_pool2d(estimate, 2)
    model = fitted(estimate, y, x, torch.arange(60))
    estimate, x = edged_pictures(30, seed=10)
    with torch.no_grad():
        size = model(estimate, torch.nn.functional.avg_pool2d(estimate, 2))
    ratio = size[..., 9:].mean() / size[..., :7].mean()
    assert 3 < ratio < 5
    for level in (0.5, 0.9):
        inside = (x - estimate).abs() <= size * model.width(level, size)
        assert inside.double().mean().item() == pytest.approx(level, abs=0.02)
        assert inside[..., 9:].double().mean().item() == pytest.approx(level, abs=0.06)
    torch.testing.assert_close(model.deviation.mean(), torch.tensor(1.25).double(), atol=0.1, rtol=0)


def test_every_place_of_a_block_has_its_usual_error():
    x = normal(40, 1, 8, 8)
    usual = torch.tensor([[0.1, 0.2], [0.4, 0.8]]).double().repeat(4, 4)
    estimate = x + usual * normal(40, 1, 8, 8, seed=1)
    model = fitted(estimate, normal(40, 3, 4, 4), x, torch.arange(40))
    found = model(estimate, normal(40, 3, 4, 4)).mean(0)[0]
    torch.testing.assert_close(found / usual, torch.full((8, 8), 0.8).double(), atol=0.15, rtol=0)


def test_columns_that_tell_nothing_are_not_used():
    x = normal(60, 6)
    model = fitted(x + 0.3 * normal(60, 6, seed=1), normal(60, 4, seed=2), x, torch.arange(60))
    assert not model.coefficients[:COLUMNS].any()
    assert model.coefficients[-1] == 1.0


def test_features_tell_where_an_input_without_places_is_hard():
    y = normal(800, 1, seed=1)
    size = y.abs().clamp_min(0.05)
    x = size * normal(800, 3)
    model = fitted(torch.zeros_like(x), y, x, torch.arange(800))
    found = model(torch.zeros_like(x), y).mean(1)
    assert torch.corrcoef(torch.stack([found.log(), size[:, 0].log()]))[0, 1] > 0.8


def test_errors_on_seen_pictures_would_flatter():
    """Why estimates must be left out: with as many unknowns as pictures, seen ones are met exactly."""
    x, y = normal(30, 4), normal(30, 25, seed=1)
    weight = torch.linalg.lstsq(y, x).solution
    model = fitted(y @ weight, y, x, torch.arange(30))
    new, features = normal(30, 4, seed=2), normal(30, 25, seed=3)
    half = (model(features @ weight, features)[:, :, None, None] * model.width(0.9, x))[:, :, 0, 0]
    assert ((new - features @ weight).abs() <= half).double().mean() < 0.7


def test_models_survive_their_state():
    estimate, x = edged_pictures(12)
    y = torch.nn.functional.avg_pool2d(estimate, 2)
    model = fitted(estimate, y, x, torch.arange(12))
    again = ErrorModel.from_state(model.state_dict())
    assert torch.equal(again(estimate, y), model(estimate, y))
    assert (again.inputs, again.sources) == (12, 12)


@pytest.mark.parametrize("shape", [(3,), (2, 9), (1, 5, 1), (2, 3, 4, 5)])
def test_inputs_of_any_shape(shape):
    x = normal(20, *shape)
    estimate = x + 0.1 * normal(20, *shape, seed=1)
    y = normal(20, 7, seed=2)
    model = fitted(estimate, y, x, torch.arange(20))
    assert model(estimate, y).shape == x.shape
    assert Activity(shape, (7,))(estimate, y).isfinite().all()


def test_an_estimate_without_error_has_none():
    x = normal(10, 3)
    model = fitted(x, x, x, torch.arange(10))
    half = model(x, x) * model.width(0.9, x).flatten()
    assert half.isfinite().all()
    assert half.max() < 1e-6


def test_wrong_data_is_refused():
    x = normal(4, 3)
    with pytest.raises(ShapeError, match="sources"):
        ErrorFit((3,), (3,)).update(x, x, x, torch.arange(3))
    with pytest.raises(ShapeError):
        ErrorFit((3,), (2,)).update(x, x, x, torch.arange(4))
    with pytest.raises(NonFiniteError):
        ErrorFit((3,), (3,)).update(x, x, x * torch.nan, torch.arange(4))
    with pytest.raises(DomainError, match="two sources"):
        fitted(x, x, x, torch.zeros(4, dtype=torch.long))
    with pytest.raises(DomainError, match="two sources"):
        ErrorFit((3,), (3,)).solve()
    model = fitted(x + 0.1, x, x, torch.arange(4))
    for level in (0.0, 1.0, 0.9999, -1.0, float("nan")):
        with pytest.raises(DomainError, match="level"):
            model.width(level, x)


def test_sources_take_turns():
    assert in_turn(torch.tensor([1, 1, 1, 2, 3, 3]), 4).tolist() == [0, 3, 4, 1]
    assert in_turn(torch.tensor([1, 1]), 9).tolist() == [0, 1]
    assert in_turn(torch.arange(9), 3).tolist() == [0, 3, 6]  # not the first three of a sorted list


def sources_of_different_scale(count, each, spread, generator):
    """Scores ``(count * each,)`` and their sources: all scores of a source are large or small together."""
    scale = torch.exp(spread * torch.randn(count, 1, generator=generator).double())
    scores = scale * torch.randn(count, each, generator=generator).double().abs()
    return scores.flatten(), torch.arange(count).repeat_interleave(each)


def below(scores, quantile):
    return (scores <= quantile).double().mean().item()


@pytest.mark.parametrize("count", [5, 10, 30])
def test_quantiles_of_few_sources_hold_new_sources(count):
    generator, level = torch.Generator().manual_seed(0), torch.tensor([0.9]).double()
    plain, honest = [], []
    for _ in range(200):
        scores, source = sources_of_different_scale(count, 30, 1.5, generator)
        new, _ = sources_of_different_scale(60, 30, 1.5, generator)
        plain.append(below(new, weighted_quantiles(scores, torch.ones_like(scores), level)))
        honest.append(below(new, honest_quantiles(scores, source, level)))
    assert np.mean(honest) == pytest.approx(0.9, abs=0.01)
    assert np.mean(plain) < np.mean(honest) - 0.15 / count


def test_quantiles_of_alike_sources_stay_as_they_are():
    scores, source = sources_of_different_scale(40, 400, 0.0, torch.Generator().manual_seed(1))
    levels = torch.tensor([0.5, 0.9]).double()
    plain = weighted_quantiles(scores, torch.ones_like(scores), levels)
    torch.testing.assert_close(honest_quantiles(scores, source, levels), plain, rtol=0.02, atol=0)


def test_levels_among_other_sources_are_those_of_loops():
    scores, source = normal(30), torch.tensor([0, 1, 2, 2, 1, 0] * 5)
    found = left_out_levels(scores, source)
    for score, own, level in zip(scores, source, found, strict=True):
        shares = [(scores[source == s] < score).double().mean() for s in range(3) if s != own]
        assert level.item() == pytest.approx(np.mean(shares))


def test_the_deviation_between_sources_is_that_of_their_coverage():
    generator = torch.Generator().manual_seed(2)
    scale = torch.exp(0.7 * torch.randn(60, 1, 1, 1, generator=generator).double())
    x = scale * torch.randn(60, 1, 16, 16, generator=generator).double()
    estimate, y = torch.zeros_like(x), torch.zeros(60, 2).double()
    model = fitted(estimate, y, x, torch.arange(60))  # nothing tells the scale of a source
    half = (model(estimate, y)[:1] * model.width(0.9, x)).squeeze(0)
    shares = (x.abs() <= half).double().mean((1, 2, 3))
    assert model.between.item() == pytest.approx(shares.std().item(), rel=0.1)
    assert model.uncertainty == pytest.approx(model.between.item() / 60**0.5)


def test_models_of_earlier_versions_are_read():
    estimate, x = edged_pictures(12)
    y = torch.nn.functional.avg_pool2d(estimate, 2)
    state = fitted(estimate, y, x, torch.arange(12)).state_dict()
    del state["between"]
    assert np.isnan(ErrorModel.from_state(state).uncertainty)
