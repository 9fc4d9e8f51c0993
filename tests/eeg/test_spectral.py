"""The closed-form classifier: a proper density, the classifier that it claims to be, and bad input."""

import math

import numpy as np
import pytest
import torch

from preimage import eeg
from preimage.eeg.spectral.base import frequency_edges
from preimage.eeg.spectral.choice import stratified_folds
from preimage.eeg.spectral.covariance import grouped_covariance, ledoit_wolf
from preimage.errors import ShapeError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def fitted(low=3, edges=(8.0, 16.0, 24.0), across=0.5, channels=2, times=32):
    x = torch.randn(200, channels, times, generator=seeded()).cumsum(2)
    labels = torch.arange(200) % 2
    x[labels == 1] += torch.linspace(0, 3, times)
    settings = eeg.SpectralSettings(low, edges, across)
    return eeg.SpectralClassifier(channels, times, 64.0, 2, settings).double().estimate(x, labels), x, labels


def test_a_radial_band_integrates_to_one():
    """One channel, no slow wave, one band of two coefficients: a density on the plane."""
    base = eeg.SpectralClassConditional(1, 2, classes=2, low=0, edges=(0, 2)).double()
    with torch.no_grad():
        base.location[1] += 0.4
        base.log_diagonal -= 0.9
    line = torch.linspace(-8, 8, 1201, dtype=torch.float64)
    plane = torch.cartesian_prod(line, line)[:, None]  # (M, 1, 2)
    mass = base.class_log_prob(plane).exp().nan_to_num().sum(0) * (line[1] - line[0]) ** 2
    assert mass.tolist() == pytest.approx([1.0, 1.0], abs=5e-3)


def test_without_bands_it_is_a_normal_distribution():
    stats = pytest.importorskip("scipy.stats")
    model, x, _ = fitted(edges=())
    base = model.spectral
    factor = base.below.tril(-1) + torch.diag(base.log_diagonal.exp())
    z = model.flow.bijection(x[:5].double())
    slow, rest = z[:, :, :3].flatten(1), z[:, :, 3:].flatten(1)
    wanted = stats.multivariate_normal(base.location[1].detach(), (factor @ factor.T).detach()).logpdf(slow)
    wanted += stats.norm(0, base.log_scale.exp().flatten().detach()).logpdf(rest).sum(1)
    assert model.class_log_prob(x[:5].double())[:, 1].detach().numpy() == pytest.approx(wanted, rel=1e-8)


def test_it_is_linear_discriminant_analysis():
    discriminant = pytest.importorskip("sklearn.discriminant_analysis")
    x = torch.randn(300, 1, 16, generator=seeded(), dtype=torch.float64)
    labels = torch.arange(300) % 3
    x += labels[:, None, None] * torch.linspace(0, 0.5, 16)
    settings = eeg.SpectralSettings(4, (), across=1.0)
    model = eeg.SpectralClassifier(1, 16, 64.0, 3, settings).double().estimate(x, labels)
    slow = model.flow.bijection(x)[:, 0, :4].numpy()
    peer = discriminant.LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / 3] * 3)
    same = peer.fit(slow, labels.numpy()).predict(slow) == model.predict(x).numpy()
    assert same.mean() > 0.99


def test_shrinkage_is_sklearns():
    covariance = pytest.importorskip("sklearn.covariance")
    rows = (
        torch.randn(40, 7, generator=seeded(), dtype=torch.float64)
        @ torch.randn(7, 7, generator=seeded(1)).double()
    )
    wanted = covariance.ledoit_wolf(rows.numpy(), assume_centered=True)[0]
    assert ledoit_wolf(rows).numpy() == pytest.approx(wanted, rel=1e-10)


def test_groups_keep_their_own_covariance():
    rows = torch.randn(500, 4, generator=seeded(), dtype=torch.float64) * torch.tensor([1.0, 5.0, 20.0, 0.1])
    found = grouped_covariance(rows, torch.tensor([0, 0, 1, 1]), across=0.0)
    assert (found[:2, 2:] == 0).all()
    assert torch.allclose(found.diagonal(), rows.square().mean(0), rtol=0.1)
    assert torch.linalg.eigvalsh(found).min() > 0
    with pytest.raises(ValueError, match="across"):
        grouped_covariance(rows, torch.tensor([0, 0, 1, 1]), across=2.0)


def test_prototypes_are_encoded_to_the_centres_again():
    model, _, _ = fitted()
    found = model.prototypes()
    assert found.certificate.residual.max() < 1e-10
    assert found.x.shape == (2, 2, 32)
    assert (found.probability > 0.5).all()


def test_draws_are_classified_and_have_the_fitted_features():
    model, _, _ = fitted()
    for label in (0, 1):
        drawn = model.sample(4000, label, generator=seeded(label))
        phi = model.spectral.features(model.flow.bijection(drawn))
        deviation = phi.std(0) / math.sqrt(4000)
        assert ((phi.mean(0) - model.spectral.location[label]).abs() < 5 * deviation).all()


def test_planted_features_are_found():
    x, labels, truth = eeg.synthetic(900, generator=seeded())
    settings = eeg.SpectralSettings(14, (8.0, 12.0, 16.0, 20.0))
    model = eeg.SpectralClassifier(21, 128, 64.0, 2, settings).estimate(x, labels)
    fresh, wanted = truth.draw(400, seeded(1))
    assert (model.predict(fresh) == wanted).double().mean() > 0.9
    slowing, _, offset, _ = eeg.score_prototypes(model.prototypes().x.detach(), truth)
    assert slowing.correlation > 0.9
    assert slowing.localised
    assert offset.correlation > 0.9
    assert offset.localised


def test_the_choice_looks_at_held_out_recordings():
    x, labels, truth = eeg.synthetic(
        60, ("O1", "O2", "T3", "T4", "FP1", "FP2", "C3", "C4"), 64, generator=seeded()
    )
    recordings = eeg.Recordings(x, labels, truth.grid.channels, 64.0, ("a", "b"))
    candidates = [eeg.SpectralSettings(6), eeg.SpectralSettings(60, across=1.0)]
    found = eeg.choose_spectral(recordings, candidates, folds=3, repeats=1, generator=seeded())
    assert found.settings == candidates[int(np.argmax(found.accuracies))]
    assert len(eeg.usual_candidates(256.0)) == 54


def test_folds_hold_every_recording_once_and_every_class_alike():
    labels = torch.tensor([0] * 20 + [1] * 10)
    folds = torch.stack(stratified_folds(labels, 5, seeded()))
    assert (folds.sum(0) == 1).all()
    assert (folds[:, :20].sum(1) == 4).all()
    assert (folds[:, 20:].sum(1) == 2).all()


def test_borders_in_hertz():
    assert frequency_edges((4.0, 8.0), 128, 64.0) == (16, 32)
    assert frequency_edges((4.0, 8.0), 128, 64.0, low=20) == (20, 32)
    assert frequency_edges((40.0, 50.0), 128, 64.0) == ()


def test_what_does_not_fit():
    with pytest.raises(ShapeError, match="increasing edges"):
        eeg.SpectralClassConditional(1, 8, classes=2, low=4, edges=(3, 6))
    with pytest.raises(ShapeError, match="wanted some"):
        eeg.SpectralClassConditional(1, 8, classes=2, low=0)
    model = eeg.SpectralClassifier(1, 8, 64.0, 2, eeg.SpectralSettings(2))
    with pytest.raises(ShapeError, match="two or more in each"):
        model.estimate(torch.randn(3, 1, 8), torch.tensor([0, 0, 1]))
