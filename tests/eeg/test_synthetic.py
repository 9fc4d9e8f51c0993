"""Synthetic recordings: their densities and covariances against scipy, dense algebra and counting."""

import math

import numpy as np
import pytest
import torch

from preimage import eeg
from preimage.eeg.planted.gaussian import StationaryGaussian
from preimage.errors import ShapeError

stats = pytest.importorskip("scipy.stats")
FEW = ("FP1", "O1", "T3", "C4")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def small_truth(times=10, locked=0.5):
    features = [
        eeg.Oscillation("slow", ("T3",), 5.0, locked, strengths=(1.0, 6.0)),
        eeg.SynchronousPair("pair", ("C4", "O1"), 16.0, locked, strength=3.0),
        eeg.Offset("eyes", ("FP1",), levels=(4.0, -4.0)),
    ]
    return eeg.SyntheticTruth(features, FEW, times, rate=64.0)


@pytest.mark.parametrize("times", [9, 10])
def test_the_likelihood_is_scipys(times):
    truth = small_truth(times)
    x, _ = truth.draw(7, seeded())
    for label in (0, 1):
        dense = truth.given_class[label].covariance().reshape(4 * times, 4 * times)
        wanted = stats.multivariate_normal(truth.mean(label).flatten(), dense).logpdf(x.flatten(1))
        assert truth.class_log_prob(x)[:, label].numpy() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("times", [9, 10])
def test_draws_have_the_covariance_that_the_truth_states(times):
    given = small_truth(times).given_class[1]
    x = given.draw(40_000, seeded()).flatten(1)
    dense = given.covariance().reshape(4 * times, 4 * times)
    deviations = dense.diagonal().sqrt()
    error = (torch.cov(x.T) - dense) / torch.outer(deviations, deviations)
    assert error.abs().max() < 6 / math.sqrt(40_000)
    assert ((x.mean(0) - given.mean.flatten()) / deviations).abs().max() < 5 / math.sqrt(40_000)


def test_the_posterior_follows_bayes_rule():
    features = [eeg.Offset("level", ("FP1",), levels=(2.0, 0.0, -2.0))]
    truth = eeg.SyntheticTruth(features, FEW, 8, priors=(0.5, 0.3, 0.2))
    x, labels = truth.draw(3000, seeded())
    joint = truth.class_log_prob(x).exp() * torch.tensor([0.5, 0.3, 0.2])
    assert torch.allclose(truth.predict_proba(x), joint / joint.sum(1, keepdim=True))
    shares = torch.bincount(labels, minlength=3) / 3000
    assert torch.allclose(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.04)


def test_bayes_accuracy_of_two_offsets_is_the_textbook_value():
    """Equal covariances: the accuracy is the normal distribution at half the Mahalanobis distance."""
    truth = eeg.SyntheticTruth([eeg.Offset("level", ("FP1",), levels=(2.0, -2.0))], FEW, 16)
    difference = (truth.mean(1) - truth.mean(0)).flatten().numpy()
    dense = truth.given_class[0].covariance().reshape(64, 64).numpy()
    wanted = stats.norm.cdf(math.sqrt(difference @ np.linalg.solve(dense, difference)) / 2)
    found = truth.bayes_accuracy(6000, seeded())
    assert 0.6 < wanted < 0.95
    assert found.low < wanted < found.high


def test_no_classifier_beats_bayes():
    found = eeg.synthetic(1500, FEW, features=small_truth().features, generator=seeded())
    best = (found.truth.predict(found.x) == found.labels).double().mean()
    means = torch.stack([found.truth.mean(c) for c in (0, 1)]).float()
    nearest = torch.cdist(found.x.flatten(1), means.flatten(1)).argmin(1)
    assert best > 0.9
    assert best > (nearest == found.labels).double().mean()


@pytest.mark.parametrize("locked", [0.0, 0.3, 1.0])
def test_strengths_are_root_mean_squares_at_the_electrode(locked):
    feature = eeg.Oscillation("wave", ("O1",), 8.0, locked, strengths=(3.0, 5.0))
    truth = eeg.SyntheticTruth([feature], ("O1", "FP1"), 128)
    grid = truth.grid
    for label, wanted in enumerate((3.0, 5.0)):
        evoked = feature.mean(grid, label)[0].square().mean()
        induced = torch.fft.irfft(feature.spectra(grid, label)[:, 0, 0], n=128)[0]
        assert math.sqrt(evoked + induced) == pytest.approx(wanted, rel=1e-6)
        assert evoked == pytest.approx(locked * wanted**2, abs=1e-9)


def test_a_synchronous_pair_hides_from_every_single_electrode():
    feature = eeg.SynchronousPair("pair", ("C3", "C4"), 16.0, 0.5, strength=2.0)
    truth = eeg.SyntheticTruth([feature], ("C3", "C4"), 64, spread=1.0)
    power = [g.channel_covariance().diagonal() + g.mean.square().mean(1) for g in truth.given_class]
    assert torch.allclose(power[0], power[1], rtol=1e-3)
    across = [feature.spectra(truth.grid, label)[:, 0, 1].sum() for label in (0, 1)]
    assert abs(across[0]) < 1e-6 * across[1]


def test_the_usual_recordings_look_like_eeg():
    found = eeg.synthetic(200, generator=seeded())
    assert found.x.shape == (200, 21, 128)
    assert found.x.dtype == torch.float32
    assert 5 < found.x.std() < 30  # microvolts
    power = torch.fft.rfft(found.x).abs().square().mean((0, 1))  # (65,)
    assert power[2] > 5 * power[40]  # 1/f
    correlation = torch.corrcoef(found.x.transpose(0, 1).flatten(1))
    names = list(eeg.STANDARD_CHANNELS)
    near, far = (correlation[names.index("FP1"), names.index(other)] for other in ("FP2", "O2"))
    assert near > 0.5 > abs(far)


def test_the_same_generator_gives_the_same_recordings():
    first, second = (eeg.synthetic(5, generator=seeded(3)) for _ in range(2))
    assert torch.equal(first.x, second.x)
    assert torch.equal(first.labels, second.labels)


def test_one_class_may_be_absent_from_a_small_draw():
    x, labels = small_truth().draw(1, seeded())
    assert x.isfinite().all()
    assert labels.shape == (1,)
    assert small_truth().class_log_prob(x[:0]).shape == (0, 2)


def test_what_cannot_be_planted_is_refused():
    with pytest.raises(ShapeError, match="is not among"):
        eeg.synthetic(2, FEW)
    with pytest.raises(ShapeError, match="10-10 system"):
        eeg.synthetic(2, ("FP1", "EOG"), features=[eeg.Offset("eyes", ("FP1",))])
    with pytest.raises(ValueError, match="classes of the features"):
        eeg.synthetic(2, features=[])
    with pytest.raises(ValueError, match="priors"):
        eeg.synthetic(2, priors=(0.9, 0.9))
    with pytest.raises(ValueError, match="white noise"):
        eeg.synthetic(2, sensor_noise=0.0)
    with pytest.raises(ValueError, match="degrees"):
        eeg.synthetic(2, spread=0.0)
    with pytest.raises(ShapeError, match="spectra"):
        StationaryGaussian(torch.zeros(2, 8), torch.eye(2).expand(4, 2, 2))
    with pytest.raises(ShapeError, match="recordings are"):
        small_truth().class_log_prob(torch.zeros(3, 4, 11))
