"""The closed-form classifier by mean and spectrum: a proper density, near the optimum, calm without cause."""

import pytest
import torch

from preimage import eeg
from preimage.classify import load_classifier, save_classifier
from preimage.eeg.stationary.estimates import kept_differences, kept_ratios, pooled_factors, summed_neighbours
from preimage.errors import ContextError, ShapeError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def fitted(channels=2, times=6, rows=400, classes=2):
    x = torch.randn(rows, channels, times, generator=seeded(), dtype=torch.float64)
    labels = torch.arange(rows) % classes
    x[labels == 1] += 1.0
    x[labels == 0, 0] *= 3.0
    return eeg.StationaryClassifier(channels, times, classes).double().estimate(x, labels), x, labels


def test_it_is_a_normal_distribution_of_the_recording():
    """Against the dense one over all numbers of a recording, with a block for every frequency."""
    stats = pytest.importorskip("scipy.stats")
    model, x, _ = fitted()
    transform = model.flow.bijection(torch.eye(6, dtype=torch.float64)[:, None])[:, 0].T  # (T, T)
    base = model.base
    for label in (0, 1):
        factors = base.factors()[label].detach()  # (T, C, C)
        covariance = factors @ factors.mT
        dense = torch.einsum("ts,tab,tu->asbu", transform, covariance, transform).reshape(12, 12)
        mean = (base.location[label].detach() @ transform).flatten()
        wanted = stats.multivariate_normal(mean, dense).logpdf(x[:5].flatten(1))
        assert model.class_log_prob(x[:5])[:, label].detach().numpy() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.shows("4-10")
def test_it_comes_within_a_point_of_the_optimum():
    x, labels, truth = eeg.synthetic(1500, generator=seeded())
    fresh, wanted = truth.draw(2000, seeded(1))
    model = eeg.StationaryClassifier(21, 128, classes=2).estimate(x, labels)
    optimum = (truth.predict(fresh) == wanted).double().mean()
    assert (model.predict(fresh) == wanted).double().mean() > optimum - 0.01


def test_prototypes_show_what_was_planted():
    x, labels, truth = eeg.synthetic(3000, generator=seeded())
    found = eeg.StationaryClassifier(21, 128, classes=2).estimate(x, labels).prototypes()
    assert found.certificate.residual.max() < 1e-5
    scores = eeg.score_prototypes(found.x.detach(), truth)
    assert min(score.correlation for score in scores) > 0.9
    assert all(score.localised for score in scores)


@pytest.mark.shows("4-14")
def test_patterns_show_where_the_classes_differ():
    """Haufe patterns of every planted feature, of the mean and of the strengths."""
    x, labels, truth = eeg.synthetic(4000, generator=seeded())
    model = eeg.StationaryClassifier(21, 128, classes=2).estimate(x, labels)
    for feature in truth.features:
        low, high = feature.band
        found = eeg.band_patterns(model, (low, high), 64.0)
        assert eeg.score_pattern(found.mean, truth, feature) > 0.95
        if feature.name != "frontal offset":  # which has no strength
            assert eeg.score_pattern(found.sources[0], truth, feature) > 0.95
    slowing, alpha = (eeg.band_patterns(model, f.band, 64.0).ratios[0] for f in truth.features[:2])
    assert slowing > 1 > alpha


def test_patterns_are_the_generalised_eigenvectors():
    linalg = pytest.importorskip("scipy.linalg")
    model, _, _ = fitted(channels=3, times=6)
    factors = model.base.factors().detach()
    both = (factors @ factors.mT)[:, 2:5].sum(1)  # of 2/12 to 4/12 of the rate
    values, vectors = linalg.eigh(both[1].numpy(), both[0].numpy())
    found = eeg.band_patterns(model, (2 / 12, 4 / 12), 1.0)
    assert sorted(found.ratios.tolist()) == pytest.approx(sorted(values.tolist()), rel=1e-9)
    wanted = torch.from_numpy((both[0] + both[1]).numpy() @ vectors[:, values.argmin()])
    row = found.sources[found.ratios.argmin()]
    assert torch.nn.functional.cosine_similarity(row, wanted, dim=0).abs() == pytest.approx(1.0, abs=1e-9)


def test_classes_that_differ_in_strength_alone_are_told_apart():
    features = [eeg.Oscillation("alpha", ("C3",), 10.0, 0.0, strengths=(1.0, 6.0))]
    x, labels, truth = eeg.synthetic(600, ("C3", "CZ", "C4"), 128, features=features, generator=seeded())
    model = eeg.StationaryClassifier(3, 128, classes=2).estimate(x, labels)
    fresh, wanted = truth.draw(500, seeded(1))
    optimum = (truth.predict(fresh) == wanted).double().mean()
    assert (model.predict(fresh) == wanted).double().mean() > optimum - 0.02


def test_where_nothing_differs_it_says_so():
    x = torch.randn(600, 8, 32, generator=seeded())
    model = eeg.StationaryClassifier(8, 32, classes=3).estimate(x, torch.arange(600) % 3)
    assert (model.predict_proba(torch.randn(100, 8, 32, generator=seeded(1))) - 1 / 3).abs().mean() < 0.05


def test_only_directions_that_stand_out_are_kept():
    counts = torch.tensor([200, 200])
    noise = torch.randn(2, 5, 200, 6, generator=seeded(), dtype=torch.float64)
    noise[1, :, :, 2] *= 2.0
    spread = noise.mT @ noise / 200  # (K, T, C, C)
    ratios = kept_ratios(spread, counts, neighbours=0)
    assert torch.allclose(ratios[0], torch.eye(6, dtype=torch.float64).expand(5, 6, 6), atol=1e-8)
    values, vectors = torch.linalg.eigh(ratios[1])
    assert (values[:, -1] - 4).abs().max() < 1.0
    assert vectors[:, 2, -1].abs().min() > 0.95
    assert (values[:, :-1] - 1).abs().max() < 1e-8


def test_shrinkage_of_means_is_that_of_james_and_stein():
    away = torch.randn(2, 5, 7, generator=seeded(), dtype=torch.float64)
    counts = torch.tensor([4, 6])
    found = kept_differences(away, counts, neighbours=1)
    for t in range(7):
        near = range(max(0, t - 1), min(7, t + 2))
        total = sum(counts[k] * away[k, c, s] ** 2 for k in range(2) for c in range(5) for s in near)
        assert found[t] == pytest.approx(max(0.0, 1 - (5 * len(near) - 2) / float(total)), abs=1e-12)


def test_sums_over_neighbours():
    sums, near = summed_neighbours(torch.arange(5.0).expand(2, 5), 2)
    assert sums[0].tolist() == [3.0, 6.0, 10.0, 10.0, 9.0]
    assert near.tolist() == [3.0, 4.0, 5.0, 4.0, 3.0]


def test_fewer_recordings_than_channels_have_a_density_too():
    factors = pooled_factors(torch.randn(4, 12, 5, generator=seeded()), neighbours=0)
    assert factors.isfinite().all()
    x = torch.randn(8, 12, 5, generator=seeded())
    model = eeg.StationaryClassifier(12, 5, classes=2).estimate(x, torch.arange(8) % 2)
    assert model.log_prob(x).isfinite().all()


def test_draws_have_the_fitted_mean_and_covariance():
    model, _, _ = fitted()
    for label in (0, 1):
        drawn = model.flow.encode(model.sample(5000, label, generator=seeded(label)))  # (N, C, T)
        factors = model.base.factors()[label].detach()
        assert (drawn.mean(0) - model.base.location[label]).abs().max() < 0.15
        found = torch.stack([drawn[:, :, t].T.cov() for t in range(6)])
        wanted = factors @ factors.mT
        assert ((found - wanted).abs().amax((1, 2)) < 0.1 * wanted.abs().amax((1, 2))).all()


def test_training_goes_on_from_there():
    model, x, labels = fitted()
    before = model.log_prob(x, labels).mean()
    model.fit(x, labels, epochs=2, hold_out=0.0, batch_size=100, learning_rate=1e-3, progress=False)
    assert model.log_prob(x, labels).mean() > before - 0.05


@pytest.mark.parametrize("kind", ["stationary", "spectral"])
def test_it_is_the_same_after_a_file(kind, tmp_path):
    x = torch.randn(60, 2, 16, generator=seeded())
    labels = torch.arange(60) % 2
    x[labels == 1] += 0.5
    settings = eeg.SpectralSettings(4, (8.0, 16.0, 24.0))
    models = {
        "stationary": lambda: eeg.StationaryClassifier(2, 16, ("rest", "task")),
        "spectral": lambda: eeg.SpectralClassifier(2, 16, 64.0, ("rest", "task"), settings),
    }
    model = models[kind]().estimate(x, labels)
    again = load_classifier(save_classifier(model, tmp_path / "model"))
    assert again.class_names == ("rest", "task")
    assert torch.equal(again.class_log_prob(x), model.class_log_prob(x))
    assert torch.equal(again.prototypes().x, model.prototypes().x)


def test_what_does_not_fit():
    model = eeg.StationaryClassifier(2, 8, classes=2)
    with pytest.raises(ShapeError, match="two or more in each"):
        model.estimate(torch.randn(3, 2, 8), torch.tensor([0, 0, 1]))
    with pytest.raises(ShapeError, match=r"\(N, 2, 8\)"):
        model.estimate(torch.randn(4, 2, 9), torch.tensor([0, 0, 1, 1]))
    with pytest.raises(ShapeError, match="1 or more"):
        eeg.StationaryClassifier(0, 8, classes=2)
    with pytest.raises(ValueError, match="neighbours"):
        eeg.StationaryClassifier(2, 8, classes=2, neighbours=-1)
    for band in ((-1.0, 2.0), (3.0, 2.0), (3.0, 40.0)):
        with pytest.raises(ShapeError, match="hertz"):
            eeg.band_patterns(model, band, 64.0)
    with pytest.raises(ShapeError, match="label is 2"):
        eeg.band_patterns(model, (1.0, 2.0), 64.0, label=2)
    with pytest.raises(ContextError, match="labels run"):
        model.base.log_prob(torch.zeros(1, 2, 8), torch.tensor([2]))
