"""Low frequencies: one cut for recordings and windows, their coordinates, the mixture, the study."""

import math

import pytest
import torch
from scipy import integrate, stats

from preimage.eeg import (
    EEGCosNet,
    EEGInvNet,
    FourierMixture,
    LowFrequencies,
    fourier_features,
    low_frequency_study,
    low_pass,
    low_passed_windows,
    low_signals,
)
from preimage.errors import ContextError, ShapeError
from preimage.flows import ClassWeightedMixture


def wave(hertz, seconds, rate=64.0):
    return torch.sin(
        2 * math.pi * hertz * torch.arange(int(seconds * rate), dtype=torch.float64) / rate + 0.3
    )


@pytest.mark.shows("4-15")
@pytest.mark.parametrize("seconds", [2, 4, 10, 120])
def test_the_limit_itself_stays_in_recordings_and_in_windows_alike(seconds):
    below, at, above = (
        wave(1 / seconds if seconds > 2 else 0.0, seconds),
        wave(0.5, seconds),
        wave(1.0, seconds),
    )
    found = low_pass(below + at + above, rate=64.0)
    assert (found - below - at).abs().max() <= 1e-10
    assert (low_pass(found, 64.0) - found).abs().max() <= 1e-12  # a projection


@pytest.mark.shows("4-15")
def test_odd_lengths_and_rates_that_are_no_fractions():
    x = torch.randn(3, 2, 77, dtype=torch.float64)
    spectrum = torch.fft.rfft(low_pass(x, rate=77 / 10, cutoff=0.3))
    kept = torch.fft.rfft(x)
    assert (spectrum[..., :4] - kept[..., :4]).abs().max() <= 1e-10  # 0, 0.1, 0.2 and 0.3 Hz
    assert spectrum[..., 4:].abs().max() <= 1e-10


@pytest.mark.shows("4-15")
@pytest.mark.parametrize(
    ("times", "cutoff", "wanted"), [(128, 0.5, 3), (256, 0.5, 5), (128, 0.4, 1), (128, 32.0, 128)]
)
def test_coordinates_are_orthonormal_and_as_many_as_frequencies(times, cutoff, wanted):
    x = torch.randn(4, 21, times, dtype=torch.float64)
    z = fourier_features(x, 64.0, cutoff)
    assert z.shape == (4, 21, wanted)
    low = low_pass(x, 64.0, cutoff)
    assert (z.square().sum() - low.square().sum()).abs() <= 1e-8
    assert (low_signals(z, times, 64.0, cutoff) - low).abs().max() <= 1e-10


@pytest.mark.shows("4-15")
def test_coordinates_are_mean_real_and_imaginary_part():
    x = torch.randn(2, 3, 128, dtype=torch.float64)
    z, spectrum = fourier_features(x, 64.0), torch.fft.rfft(x)[..., 1] * math.sqrt(2 / 128)
    wanted = torch.stack([x.mean(2) * math.sqrt(128), spectrum.real, spectrum.imag], dim=2)
    assert (z - wanted).abs().max() <= 1e-12


def test_windows_are_filtered_before_and_after_they_are_cut():
    x = torch.randn(2, 3, 640, dtype=torch.float64)
    windows = low_passed_windows(x, 128, 64.0, crops=3)
    wanted = low_pass(low_pass(x, 64.0)[:, :, 256:384], 64.0)
    assert (windows[:, 1] - wanted).abs().max() <= 1e-12


@pytest.mark.parametrize(
    ("rate", "cutoff"), [(0.0, 0.5), (-1.0, 0.5), (math.inf, 0.5), (64.0, -0.5), (64.0, math.nan)]
)
def test_impossible_rates_are_refused(rate, cutoff):
    with pytest.raises(ValueError, match="positive rate"):
        low_pass(torch.zeros(1, 8), rate, cutoff)


def test_other_shapes_are_refused():
    with pytest.raises(ShapeError, match="no samples"):
        low_pass(torch.zeros(()), 64.0)
    with pytest.raises(ShapeError, match="windows"):
        fourier_features(torch.zeros(3, 8), 64.0)
    with pytest.raises(ShapeError, match="wanted"):
        low_signals(torch.zeros(1, 2, 4), 128, 64.0)
    with pytest.raises(ShapeError, match="wanted"):
        FourierMixture(2, 16, 8.0).class_log_prob(torch.zeros(1, 2, 17))


# ---- the mixture


def mixture(features=2, classes=3, components=4, seed=0):
    torch.manual_seed(seed)
    base = ClassWeightedMixture(features, classes=classes, components=components).double()
    with torch.no_grad():
        base.location.normal_()
        base.log_scale.normal_(std=0.3)
        base.weight_logits.normal_()
    return base


@pytest.mark.shows("4-15")
def test_the_density_is_that_of_scipy():
    base, z = mixture(), torch.randn(7, 2, dtype=torch.float64)
    shares = base.weight_logits.detach().softmax(1)
    for c in range(3):
        wanted = sum(
            shares[c, k].item()
            * stats.multivariate_normal(
                base.location[k].detach().numpy(), (2 * base.log_scale[k].detach()).exp().diag().numpy()
            ).pdf(z.numpy())
            for k in range(4)
        )
        found = base.log_prob(z, torch.full((7,), c)).detach().exp().numpy()
        assert found == pytest.approx(wanted, rel=1e-10)


@pytest.mark.shows("4-15")
def test_the_density_integrates_to_one_and_draws_follow_it():
    base = mixture(features=1)
    total, _ = integrate.quad(
        lambda z: base.class_log_prob(torch.tensor([[z]], dtype=torch.float64))[0, 1].exp().item(), -12, 12
    )
    assert total == pytest.approx(1, abs=1e-6)
    labels = torch.ones(20_000, dtype=torch.long)
    drawn = base.draw(20_000, labels, torch.Generator().manual_seed(0)).detach()
    shares = base.weight_logits.detach().softmax(1)[1]
    mean = (shares[:, None] * base.location.detach()).sum(0)
    assert (drawn.mean(0) - mean).abs().max() <= 0.05
    with pytest.raises(ContextError):
        base.draw(2, torch.tensor([0, 3]))


@pytest.mark.shows("4-15")
def test_sizes_of_the_published_mixture():
    model = FourierMixture()
    assert model.base.dimensions() == 63
    own = sum(parameter.numel() for parameter in model.base.parameters())
    assert own == 8 * 63 * 2 + 2 * 8
    assert torch.equal(model.class_probabilities(), torch.full((2, 8), 0.5))
    assert model.mixture.location.std().item() == pytest.approx(0.1, rel=0.15)
    assert model.mixture.log_scale.std().item() == pytest.approx(0.1, rel=0.15)


def slow_waves(count, generator):
    """Class 1 has a positive or a negative shift at the first electrode, class 0 has none."""
    labels = torch.arange(count) % 2
    sign = torch.randint(0, 2, (count,), generator=generator) * 2.0 - 1
    x = torch.randn(count, 2, 32, generator=generator)
    x[:, 0] += (1.5 * labels * sign)[:, None]
    return x, labels


@pytest.mark.shows("4-15")
def test_components_say_which_class_they_speak_for():
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(400) % 2
    x = torch.randn(400, 2, 32, generator=generator)
    x[:, 0] += 3.0 * (labels[:, None] - 0.5)  # class 1 is shifted upwards at the first electrode
    torch.manual_seed(2)
    model = FourierMixture(2, 32, rate=16.0, components=3)
    model.fit(x, labels, epochs=25, batch_size=100, learning_rate=0.05, progress=False)
    assert (model.eval().predict(x) == labels).float().mean() >= 0.97
    speaks = model.class_probabilities()
    assert torch.allclose(speaks.sum(0), torch.ones(3))
    shifts = model.component_windows()[:, 0].mean(1)  # (M,), the shift at the first electrode
    sure = (speaks[1] - 0.5).abs() > 0.4
    assert sure.sum() >= 2
    assert torch.equal(shifts[sure] > 0, speaks[1, sure] > 0.5)
    assert model.sample(5, label=1).shape == (5, 2, 32)


@pytest.mark.parametrize("sizes", [{"classes": 1}, {"components": 0}])
def test_impossible_mixtures_are_refused(sizes):
    with pytest.raises(ValueError, match="or more"):
        ClassWeightedMixture(3, **({"classes": 2, "components": 8} | sizes))


def test_what_is_dropped_cannot_come_back():
    low = LowFrequencies(2, 16, rate=8.0)
    x = torch.randn(3, 2, 16)
    z, weight = low.forward_and_log_weight(x)
    assert low.likelihood == "exact"
    assert torch.equal(weight, torch.zeros(3))
    assert torch.allclose(low.inverse(z), low_pass(x, 8.0), atol=1e-5)


@pytest.mark.shows("4-15")
def test_the_study_compares_three_classifiers_on_the_same_windows():
    generator = torch.Generator().manual_seed(3)
    (x, labels), (test_x, test_labels) = slow_waves(200, generator), slow_waves(100, generator)
    fast = 3 * torch.sin(2.5 * torch.arange(32))  # above the limit, and the same in no two recordings
    x, test_x = (data + fast * torch.randn(len(data), 2, 1, generator=generator) for data in (x, test_x))
    torch.manual_seed(4)
    models = {
        "EEG-InvNet": EEGInvNet(2, 16, blocks=1, stages=1, hidden_channels=8, temperature=5.0),
        "EEG-CosNet": EEGCosNet(2, filters=4, window=16),
        "Fourier mixture": FourierMixture(2, 16, rate=16.0, components=3),
    }
    rows = low_frequency_study(
        x, labels, test_x, test_labels, times=16, rate=16.0, crops=2, models=models,
        epochs=30, batch_size=100, learning_rate=0.02, progress=False,
    )  # fmt: skip
    assert [row.name for row in rows] == list(models)
    assert all(row.evaluation.accuracy.trials == 100 for row in rows)
    assert rows[2].evaluation.accuracy.value >= 0.9  # it can tell both signs from none
    assert "Fourier mixture: " in str(rows[2])
    assert rows[1].evaluation.bits_per_dim is None
