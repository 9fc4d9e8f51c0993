"""Calibration, abstention and outlier scores against loops, known answers and scikit-learn."""

import math

import pytest
import torch
from class_problems import blobs, exact_classifier

from preimage.bijection import Chain
from preimage.classify import (
    DensityRatioScore,
    EqualMassBins,
    EqualWidthBins,
    LogDensityScore,
    TypicalityScore,
    abstention_threshold,
    best_temperature,
    calibrate,
    plot_reliability,
    reliability,
    risk_coverage,
    separation,
)
from preimage.errors import ShapeError
from preimage.flows import Flow, Normal


def claims(rows, sharpness=1.0, seed=0):
    """True classes of honest probabilities, and those probabilities sharpened."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(rows, 3, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return sharpness * logits, labels


@pytest.mark.parametrize("bins", [EqualWidthBins(10), EqualMassBins(10)])
def test_calibration_error_against_a_loop(bins):
    logits, labels = claims(500, sharpness=1.7)
    probability = logits.softmax(1)
    found = reliability(probability, labels, bins)
    confidence, predicted = probability.max(1)
    total = 0.0
    for low, high, count in zip(found.edges[:-1], found.edges[1:], found.count, strict=True):
        inside = (confidence > low) & (confidence <= high)
        assert int(inside.sum()) == int(count)
        if inside.any():
            right = (predicted == labels)[inside].double().mean()
            total += float(inside.double().mean() * (right - confidence[inside].mean()).abs())
    assert found.error == pytest.approx(total, abs=1e-12)
    assert found.largest_error >= found.error


def test_honest_claims_have_a_small_error_and_sharpened_ones_a_large_one():
    honest, labels = claims(20_000)
    assert reliability(honest.softmax(1), labels).error < 0.015
    assert reliability((3 * honest).softmax(1), labels).error > 0.1


def test_equal_mass_bins_hold_equally_many():
    logits, labels = claims(1000)
    count = reliability(logits.softmax(1), labels, EqualMassBins(10)).count
    assert count.min() >= 99
    assert count.max() <= 101


def test_temperature_undoes_sharpening():
    logits, labels = claims(20_000, sharpness=2.5)
    assert best_temperature(logits, labels) == pytest.approx(2.5, rel=0.05)


def test_temperature_is_the_minimum_of_a_grid():
    logits, labels = claims(300, sharpness=0.4)
    prior = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64).log()
    found = best_temperature(logits, labels, prior)
    grid = found * torch.linspace(0.5, 2.0, 301, dtype=torch.float64)
    losses = [torch.nn.functional.cross_entropy(logits / t + prior, labels) for t in grid]
    assert grid[torch.stack(losses).argmin()].item() == pytest.approx(found, rel=0.02)


def test_calibrate_sets_the_temperature_and_leaves_the_densities():
    model = exact_classifier(temperature=9.0)
    x, labels = blobs(4000)
    before = model.log_prob(x)
    calibrate(model, x, labels)
    assert model.temperature.item() == pytest.approx(1.0, abs=0.15)
    assert torch.equal(model.log_prob(x), before)
    assert reliability(model.predict_proba(x), labels).error < 0.02


def test_ends_of_the_temperature():
    certain = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert best_temperature(certain, torch.tensor([0, 1])) < 1e-5
    assert best_temperature(certain, torch.tensor([1, 0])) > 1e5


def test_picture_of_reliability():
    pytest.importorskip("matplotlib")
    logits, labels = claims(500)
    drawing = plot_reliability(reliability(logits.softmax(1), labels))
    assert [axes.get_xlabel() for axes in drawing.axes][1].startswith("stated probability")


def test_risk_and_coverage_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    confidence = (torch.rand(200, generator=generator) * 20).round() / 20  # with ties
    right = torch.rand(200, generator=generator) < confidence
    curve = risk_coverage(confidence, right)
    for place, threshold in enumerate(curve.threshold.tolist()):
        answered = confidence >= threshold
        assert curve.coverage[place].item() == pytest.approx(answered.double().mean().item())
        assert curve.risk[place].item() == pytest.approx((~right)[answered].double().mean().item())
    assert curve.coverage[-1] == 1
    assert 0 < curve.area < curve.risk[-1]


def test_the_risk_stays_below_the_bound_on_new_rows():
    kept = []
    for seed in range(20):
        logits, labels = claims(2000, seed=seed)
        confidence, predicted = logits.softmax(1).max(1)
        threshold, coverage = abstention_threshold(confidence, predicted == labels, risk=0.1)
        assert 0.2 < coverage < 0.9
        fresh, truth = claims(20_000, seed=100 + seed)
        sure, guess = fresh.softmax(1).max(1)
        answered = sure >= threshold
        kept.append(float((guess != truth)[answered].double().mean()) <= 0.1)
    assert sum(kept) >= 19


def test_no_threshold_where_the_rows_cannot_assure_it():
    assert abstention_threshold(torch.ones(5), torch.ones(5).bool(), risk=0.01) == (math.inf, 0.0)


def test_separation_against_all_pairs():
    generator = torch.Generator().manual_seed(0)
    known = torch.randn(40, generator=generator).round(decimals=1)
    strange = torch.randn(30, generator=generator).round(decimals=1) + 0.5
    above = (strange[:, None] > known).double() + 0.5 * (strange[:, None] == known).double()
    assert separation(known, strange) == pytest.approx(above.mean().item(), abs=1e-12)


def test_scores_of_outliers():
    flow, wide = Flow(Chain(), Normal(50)), Flow(Chain(), Normal(50).tempered(2.0))
    generator = torch.Generator().manual_seed(0)
    usual = torch.randn(200, 50, generator=generator)
    shrunk, grown = 0.5 * usual, 2 * usual
    density = LogDensityScore(flow)
    assert separation(density(usual), density(grown)) > 0.99
    assert separation(density(usual), density(shrunk)) < 0.01  # too usual: the density is fooled
    typical = TypicalityScore(flow, torch.randn(500, 50, generator=generator))
    assert separation(typical(usual), typical(shrunk)) > 0.99
    assert separation(typical(usual), typical(grown)) > 0.99
    ratio = DensityRatioScore(flow, wide)
    torch.testing.assert_close(ratio(usual), wide.log_prob(usual) - flow.log_prob(usual))


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda: EqualWidthBins(0), ValueError, "one or more"),
        (lambda: reliability(torch.zeros(0, 2), torch.zeros(0).long()), ShapeError, "N >= 1"),
        (lambda: reliability(torch.zeros(2, 2), torch.zeros(3).long()), ShapeError, "2 whole numbers"),
        (lambda: reliability(torch.zeros(2, 2), torch.tensor([0, 2])), ShapeError, "wanted 0 to 1"),
        (lambda: risk_coverage(torch.zeros(2), torch.zeros(3).bool()), ShapeError, "twice"),
        (lambda: abstention_threshold(torch.ones(2), torch.ones(2).bool(), 0.0), ValueError, "risk is"),
        (lambda: separation(torch.zeros(0), torch.zeros(1)), ShapeError, "one row or more"),
    ],
)
def test_bad_arguments_are_refused(wrong, error, said):
    with pytest.raises(error, match=said):
        wrong()
