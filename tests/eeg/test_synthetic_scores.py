"""Scores are high for the truth, low for what is wrong, and blind to what does not count."""

import math

import pytest
import torch

from preimage import eeg
from preimage.errors import ShapeError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def truth():
    return eeg.synthetic(2).truth


def means_of(truth):
    return torch.stack([truth.mean(label) for label in range(truth.classes)])


def test_the_planted_means_are_perfect_prototypes(truth):
    scores = eeg.score_prototypes(means_of(truth), truth)
    assert [s.feature for s in scores] == [f.name for f in truth.features]
    assert all(s.correlation > 0.999 and s.localised for s in scores)


@pytest.mark.shows("4-11")
def test_sample_means_recover_every_planted_feature(truth):
    x, labels = truth.draw(6000, seeded())
    prototypes = torch.stack([x[labels == label].mean(0) for label in (0, 1)])
    scores = eeg.score_prototypes(prototypes, truth)
    assert all(s.correlation > 0.9 and s.localised for s in scores), scores


def test_noise_shows_nothing(truth):
    scores = eeg.score_prototypes(torch.randn(2, 21, 128, generator=seeded()), truth)
    assert all(abs(s.correlation) < 0.7 and not s.localised for s in scores), scores


def test_swapped_classes_are_anticorrelated(truth):
    scores = eeg.score_prototypes(means_of(truth).flip(0), truth)
    assert all(s.correlation < -0.999 for s in scores)


def test_other_frequencies_do_not_count(truth):
    hum = torch.cos(2 * math.pi * 25 * torch.arange(128) / 64).expand(21, 128) * 100
    disturbed = means_of(truth) + torch.stack([hum, -hum])
    assert all(s.correlation > 0.999 for s in eeg.score_prototypes(disturbed, truth))


def test_without_locking_strengths_over_the_scalp_are_compared():
    truth = eeg.synthetic(2, strengths=eeg.Strengths(locked=0.0, synchrony=0.0)).truth
    wave = torch.cos(2 * math.pi * 3 * torch.arange(128) / 64 + 0.4)
    shown = torch.zeros(2, 21, 128)
    shown[1] = truth.grid.pattern("T3")[:, None] * wave + truth.grid.pattern("T4")[:, None] * wave.roll(7)
    slowing = eeg.score_prototypes(shown, truth)[0]
    assert math.isnan(slowing.correlation)
    assert slowing.map_correlation > 0.95
    assert slowing.localised


def test_a_difference_in_synchrony_alone_has_no_map():
    truth = eeg.synthetic(2, strengths=eeg.Strengths(0.0, 0.0, 0.0, 2.0, locked=0.0), spread=1.0).truth
    (score,) = eeg.score_prototypes(torch.randn(2, 21, 128, generator=seeded()), truth)
    assert math.isnan(score.correlation)
    assert math.isnan(score.map_correlation)


def test_patterns(truth):
    slowing = truth.features[0]
    mixed = 3 * truth.grid.pattern("T3") - 2 * truth.grid.pattern("T4")
    assert eeg.score_pattern(mixed, truth, slowing) == pytest.approx(1.0)
    assert eeg.score_pattern(truth.grid.pattern("CZ"), truth, slowing) < 0.5
    orthogonal = torch.linalg.qr(
        torch.stack([truth.grid.pattern(n) for n in ("T3", "T4", "CZ")], dim=1), mode="complete"
    ).Q
    assert eeg.score_pattern(orthogonal[:, -1], truth, slowing) == pytest.approx(0.0, abs=1e-9)


def test_wrong_shapes(truth):
    with pytest.raises(ShapeError, match="prototypes"):
        eeg.score_prototypes(torch.zeros(2, 21, 127), truth)
    with pytest.raises(ShapeError, match="pattern"):
        eeg.score_pattern(torch.zeros(20), truth, truth.features[0])
