"""EEG-CosNet against loops, its invariances, its training, and its patterns."""

import math

import pytest
import torch

from preimage.eeg import (
    EEGCosNet,
    EEGInvNet,
    PatchCosNet,
    cosnet_patterns,
    covariance_patterns,
    haufe_patterns,
)
from preimage.errors import ShapeError

BOTH = [EEGCosNet, PatchCosNet]


def small(make=EEGCosNet, classes=2, seed=0):
    """A network in double precision with all parameters away from zero."""
    torch.manual_seed(seed)
    net = make(channels=3, classes=classes, filters=4, window=5).double()
    with torch.no_grad():
        net.weight.normal_()
        net.bias.normal_()
    return net


def by_loops(net, x):
    """The formula, one number at a time."""
    spatial, temporal = net.spatial.detach().numpy(), net.temporal.detach().numpy()
    rows, channels, times = x.shape
    features = []
    for n in range(rows):
        row = []
        for f in range(net.filters):
            total = 0.0
            for t in range(times - net.window + 1):
                product = length = own = 0.0
                for k in range(net.window):
                    signal = sum(spatial[c, f] * float(x[n, c, t + k]) for c in range(channels))
                    product += signal * temporal[f, k]
                    own += temporal[f, k] ** 2
                    if isinstance(net, EEGCosNet):
                        length += signal**2
                    else:
                        length += sum(float(x[n, c, t + k]) ** 2 for c in range(channels))
                if isinstance(net, PatchCosNet):
                    own *= sum(spatial[c, f] ** 2 for c in range(channels))
                total += abs(product / math.sqrt(length * own))
            size = net.window * (channels if isinstance(net, PatchCosNet) else 1)
            row.append(total / (times - net.window + 1) * math.sqrt(size))
        features.append(row)
    return torch.tensor(features, dtype=torch.float64)


@pytest.mark.shows("4-13")
@pytest.mark.parametrize("make", BOTH)
def test_features_equal_loops(make):
    net = small(make)
    x = torch.randn(3, 3, 11, dtype=torch.float64)
    assert (net.features(x) - by_loops(net, x)).abs().max() <= 1e-12


@pytest.mark.shows("4-13")
def test_two_classes_have_one_sum_and_a_sigmoid():
    net = small()
    x = torch.randn(6, 3, 20, dtype=torch.float64)
    evidence = (net.weight[0] * net.features(x) + net.bias[0]).sum(1)
    assert (net.predict_proba(x)[:, 1] - torch.sigmoid(evidence)).abs().max() <= 1e-12
    assert torch.equal(net.predict(x), (evidence > 0).long())


@pytest.mark.shows("4-13")
def test_more_classes_have_a_sum_each_and_a_softmax():
    net = small(classes=3)
    x = torch.randn(6, 3, 20, dtype=torch.float64)
    sums = torch.stack(
        [(w * net.features(x) + b).sum(1) for w, b in zip(net.weight, net.bias, strict=True)], 1
    )
    assert (net.predict_proba(x) - sums.softmax(1)).abs().max() <= 1e-12


@pytest.mark.shows("4-13")
@pytest.mark.parametrize("make", BOTH)
def test_sizes_and_start(make):
    net = make(channels=21)
    assert sum(parameter.numel() for parameter in net.parameters()) == 5_568
    x = torch.randn(2, 21, 128)
    assert net.similarities(x).shape == (2, 64, 65)
    assert torch.equal(net.predict_proba(x), torch.full((2, 2), 0.5))
    assert net.spatial.std().item() == pytest.approx(0.2, rel=0.1)
    assert net.temporal.std().item() == pytest.approx(0.2, rel=0.1)


@pytest.mark.shows("4-13")
@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("factor", [-1.0, 1e-6, 3e5])
def test_neither_amplitude_nor_polarity_matter(make, factor):
    net, x = small(make), torch.randn(4, 3, 20, dtype=torch.float64)
    assert (net.features(factor * x) - net.features(x)).abs().max() <= 1e-12


@pytest.mark.shows("4-13")
def test_a_feature_of_white_noise_is_about_point_eight():
    torch.manual_seed(1)
    mean = EEGCosNet(21).features(torch.randn(200, 21, 128)).mean()
    assert mean.item() == pytest.approx(math.sqrt(2 / math.pi), abs=0.02)


@pytest.mark.shows("4-13")
@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_flat_signals_are_safe(make, dtype):
    net = small(make).to(dtype)
    x = torch.randn(3, 3, 20, dtype=dtype)
    x[0] = 0.0  # nothing at all
    x[1, :, 5:] = 0.0  # windows within it
    x[2, 1:] = 0.0
    x.requires_grad_()
    net.features(x).sum().backward()
    assert net.features(x).isfinite().all()
    assert torch.equal(net.features(x)[0], torch.zeros(4, dtype=dtype))
    for gradient in (x.grad, net.spatial.grad, net.temporal.grad):
        assert gradient.isfinite().all()


def test_filters_of_zero_are_safe():
    net = small()
    with torch.no_grad():
        net.temporal[0] = 0.0
        net.spatial[:, 1] = 0.0
    net.logits(torch.randn(2, 3, 9, dtype=torch.float64)).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


def test_windows_are_named_by_their_middle():
    centres = EEGCosNet(21).window_centres(128, rate=64.0)
    assert (len(centres), centres[0].item(), centres[-1].item()) == (65, 0.5, 1.5)


def rhythms(count, generator, channels=4, times=64):
    """Class 1 has a rhythm of random phase where class 0 has noise of the same power."""
    labels = torch.arange(count) % 2
    pattern = torch.tensor([1.0, 0.5, 0.0, -0.5])
    phase = 6.3 * torch.rand(count, 1, generator=generator)
    rhythm = torch.sin(2 * math.pi * torch.arange(times) / 8 + phase)
    noise = torch.randn(count, times, generator=generator) / math.sqrt(2)
    source = torch.where(labels[:, None] == 1, rhythm, noise)
    x = torch.einsum("c,nt->nct", pattern, source)
    return x + 0.3 * torch.randn(count, channels, times, generator=generator), labels, pattern


@pytest.mark.shows("4-13", "4-14")
def test_it_learns_a_rhythm_and_shows_where_it_is():
    generator = torch.Generator().manual_seed(2)
    x, labels, pattern = rhythms(400, generator)
    test_x, test_labels, _ = rhythms(200, generator)
    torch.manual_seed(3)
    net = EEGCosNet(4, filters=6, window=16)
    net.fit(x, labels, epochs=15, learning_rate=0.03, progress=False)
    assert (net.predict(test_x) == test_labels).float().mean() >= 0.98
    found = cosnet_patterns(net, x)
    assert (found.evidence.diff() <= 0).all()
    top = found.spatial[0]
    assert abs(torch.corrcoef(torch.stack([top, pattern]))[0, 1]) > 0.95
    assert torch.corrcoef(torch.stack([found.in_band[0], pattern]))[0, 1].abs() > 0.95
    spectrum = torch.fft.rfft(found.waveforms[0]).abs()
    assert spectrum.argmax().item() == 2  # 16 samples hold two periods of 8
    assert net.class_weights()[1][found.filters[0]].item() == pytest.approx(found.weights[0].item())
    assert net.order()[0].item() == net.class_weights()[1].argmax().item()


@pytest.mark.shows("4-13")
def test_soft_labels_teach_what_the_teacher_says():
    generator = torch.Generator().manual_seed(4)
    x, _, _ = rhythms(300, generator)

    class Teacher:
        def predict_proba(self, data):
            """Unsure on purpose: never more than 0.7."""
            strength = torch.fft.rfft(data[:, 0]).abs()[:, 8] / data[:, 0].norm(dim=1)
            p = 0.3 + 0.4 * (strength > 3).float()
            return torch.stack([1 - p, p], dim=1)

    torch.manual_seed(5)
    net = EEGCosNet(4, filters=6, window=16).distil(
        Teacher(), x, epochs=15, learning_rate=0.03, progress=False
    )
    teacher = Teacher().predict_proba(x)
    assert (net.predict(x) == teacher.argmax(1)).float().mean() >= 0.95
    assert net.predict_proba(x).max() < 0.85  # not pushed to certainty


def test_an_invertible_network_can_be_the_teacher():
    model = EEGInvNet(3, 16, stages=1, blocks=1, hidden_channels=4)
    net = EEGCosNet(3, filters=2, window=8)
    net.distil(model, torch.randn(12, 3, 16), validation=torch.randn(4, 3, 16), epochs=1, progress=False)
    assert "validation_loss" in net.history[-1]


@pytest.mark.parametrize(
    "targets", [torch.zeros(4), torch.zeros(4, 3), torch.zeros(4, 2).long(), torch.zeros(4, 2, 1)]
)
def test_targets_that_do_not_fit_are_refused(targets):
    with pytest.raises(ShapeError, match="probabilities"):
        EEGCosNet(2, window=4).fit(torch.zeros(4, 2, 8), targets)


@pytest.mark.parametrize("shape", [(2, 8), (1, 3, 8), (1, 2, 3)])
def test_recordings_that_do_not_fit_are_refused(shape):
    with pytest.raises(ShapeError, match=r"wanted \(N, 2, T\)"):
        EEGCosNet(2, window=4).features(torch.zeros(shape))


@pytest.mark.parametrize("sizes", [{"classes": 1}, {"filters": 0}, {"window": 0}, {"channels": 0}])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="two classes or more"):
        EEGCosNet(**({"channels": 2} | sizes))


# ---- patterns


@pytest.mark.shows("4-14")
def test_patterns_recover_a_mixing_from_filters_that_undo_it():
    generator = torch.Generator().manual_seed(6)
    mixing = torch.randn(8, 3, generator=generator)
    sources = torch.randn(4000, 3, generator=generator) * torch.tensor([1.0, 2.0, 0.5])
    noise = torch.randn(4000, 8, generator=generator) @ torch.randn(8, 8, generator=generator)
    x = sources @ mixing.T + noise
    filters = torch.linalg.solve(torch.cov(x.T), mixing)  # what a linear model learns
    for pattern, wanted in zip(haufe_patterns(x, filters).T, mixing.T, strict=True):
        assert torch.corrcoef(torch.stack([pattern, wanted]))[0, 1] > 0.95
    weights_alone = [abs(torch.corrcoef(torch.stack(p))[0, 1]) for p in zip(filters.T, mixing.T, strict=True)]
    assert min(weights_alone) < 0.9  # the filters themselves do not show it


@pytest.mark.shows("4-14")
def test_patterns_are_regression_slopes():
    """A has the least-squares slopes of x on the filtered signals: an independent way to the same numbers."""
    torch.manual_seed(7)
    x, filters = torch.randn(50, 4, 6).double().cumsum(2), torch.randn(4, 2).double()
    rows = x.transpose(1, 2).flatten(0, 1)
    rows = rows - rows.mean(0)
    wanted = torch.linalg.lstsq(rows @ filters, rows).solution.T
    assert (haufe_patterns(x, filters) - wanted).abs().max() <= 1e-10
    one = haufe_patterns(x, filters[:, :1])[:, 0]
    alone = covariance_patterns(x, filters[:, :1])[:, 0]
    assert torch.corrcoef(torch.stack([one, alone]))[0, 1] >= 1 - 1e-12


def test_filters_that_say_the_same_share_their_pattern():
    x = torch.randn(100, 3).double()
    one = torch.randn(3, 1).double()
    twice = haufe_patterns(x, torch.cat([one, one], dim=1))
    assert (twice.sum(1) - haufe_patterns(x, one)[:, 0]).abs().max() <= 1e-10


@pytest.mark.shows("4-14")
def test_patterns_behind_a_waveform_are_those_of_the_filtered_recordings():
    net, x = small(), torch.randn(70, 3, 12, dtype=torch.float64).cumsum(2)
    found = cosnet_patterns(net, x)
    for row, number in enumerate(found.filters.tolist()):
        waves = x.unfold(2, net.window, 1) @ net.temporal[number].detach()  # (N, C, windows)
        wanted = covariance_patterns(waves, net.spatial[:, number : number + 1].detach())[:, 0]
        wanted = wanted / wanted[wanted.abs().argmax()]
        assert (found.in_band[row] - wanted).abs().max() <= 1e-10


def test_data_that_do_not_fit_the_filters_are_refused():
    for data, filters in [
        (torch.zeros(5, 3), torch.zeros(2, 1)),
        (torch.zeros(1, 2), torch.zeros(2, 1)),
        (torch.zeros(5), torch.zeros(5, 1)),
    ]:
        with pytest.raises(ShapeError, match="two"):
            haufe_patterns(data, filters)
    with pytest.raises(ShapeError, match="0 to 1"):
        cosnet_patterns(EEGCosNet(2, filters=2, window=4), torch.zeros(3, 2, 8), label=2)
