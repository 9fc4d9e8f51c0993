"""The report and its figures: made, complete, escaped, and with clear errors."""

import json

import numpy as np
import pytest
import torch

from preimage import eeg
from preimage.classify import ChannelSettings
from preimage.eeg.layout import grid_places
from preimage.errors import DataFileError, ShapeError

pytest.importorskip("mne")
pytest.importorskip("matplotlib")
CHANNELS = ("FP1", "FP2", "T3", "T4", "O1", "O2", "C3", "C4")
FAST = ChannelSettings(steps=2, starts=2, batch=4, score_rows=8, controls=2)
NAMES = ("healthy", "<b>ill</b>")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def recordings(count=64):
    x, labels, _ = eeg.synthetic(count, CHANNELS, 32, generator=seeded())
    return eeg.Recordings(x, labels, CHANNELS, 64.0, NAMES)


def small_model(found):
    model = eeg.SpectralClassifier(8, 32, 64.0, NAMES, eeg.SpectralSettings(4, (8.0, 16.0, 24.0)))
    return model.estimate(found.x, found.labels)


def texts(drawing):
    return [text.get_text() for axes in drawing.axes for text in (axes.title, *axes.texts)]


@pytest.mark.shows("4-16")
def test_a_report_is_complete_and_escaped(tmp_path):
    found = recordings()
    report = eeg.report_prototypes(found, small_model(found), FAST)
    page = eeg.write_report(report, tmp_path / "report").read_text(encoding="utf-8")
    files = {path.name for path in (tmp_path / "report").iterdir()}
    assert files == {
        "index.html",
        "report.json",
        "prototypes.png",
        "maps_1.png",
        "electrodes.png",
        "evidence.png",
    }
    assert "<b>ill" not in page
    assert "&lt;b&gt;ill" in page
    assert page.count("data:image/png;base64") == 4
    assert 'src="http' not in page
    numbers = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert sum(map(sum, numbers["true_by_predicted"])) == 64
    assert numbers["accuracy"]["low"] < numbers["accuracy"]["value"] <= numbers["accuracy"]["high"]
    assert set(numbers["no_clear_prototype"]) == set(NAMES)
    assert max(numbers["prototype_error"]) < 1e-4
    assert "With 276 recordings" in report.sentence()


def test_a_report_needs_labels_and_two_classes():
    found = recordings(20)
    with pytest.raises(DataFileError, match="give labels"):
        eeg.report_prototypes(found[found.labels == 0], None, FAST)
    unknown = eeg.Recordings(found.x, torch.full((20,), -1), CHANNELS, 64.0, ())
    with pytest.raises(DataFileError, match="classes none"):
        eeg.report_prototypes(unknown, None, FAST)


@pytest.mark.shows("4-16")
def test_every_figure_shows_what_it_is_given():
    found = recordings(16)
    waves = found.x[:2]
    assert len(eeg.plot_waveforms(waves, CHANNELS, 64.0, NAMES).axes) == 8
    drawing = eeg.plot_electrode_prototypes(
        waves, torch.rand(2, 8), torch.rand(2, 8) > 0.5, CHANNELS, 64.0, NAMES
    )
    styles = [axes.lines[-1].get_linestyle() for panel in drawing.subfigs for axes in panel.axes]
    assert set(styles) <= {"-", ":"}
    assert len(styles) == 16
    maps, titles = eeg.band_maps(waves[0], CHANNELS, 64.0)
    assert [t for t in texts(eeg.scalp_maps(maps, CHANNELS, titles)) if t] == titles
    cosnet = eeg.EEGCosNet(8, filters=4, window=16)
    filters = eeg.plot_cosnet_filters(eeg.cosnet_patterns(cosnet, found.x), CHANNELS, NAMES)
    assert len(filters.axes) == 8
    assert len(eeg.plot_cosnet_steps(cosnet, found.x[0], 64.0, NAMES).axes) == 16
    assert "stage 2: 32 × 8" in texts(eeg.plot_architecture(8, 32, 2, 3))
    evidence = eeg.plot_class_evidence(torch.eye(2)[[0, 1, 1]], torch.tensor([0, 1, 0]), NAMES)
    assert [t for t in texts(evidence) if t] == ["1", "1", "0", "1"]


def test_the_fourier_mixture_is_shown_as_maps():
    mixture = eeg.FourierMixture(8, 128, 64.0, components=3).eval()
    mixture.class_log_prob(torch.randn(10, 8, 128, generator=seeded()))
    shown = [t for t in texts(eeg.plot_fourier_mixture(mixture, CHANNELS, NAMES)) if t]
    assert len(shown) == 3
    assert all("%" in text for text in shown)


def test_band_maps_are_root_mean_squares():
    seconds = torch.arange(128) / 64
    x = torch.stack([3 + 2 * torch.cos(2 * torch.pi * 10 * seconds), torch.zeros(128), seconds.cos()])
    maps, titles = eeg.band_maps(x, ("C3", "CZ", "C4"), 64.0)
    assert maps[titles.index("8–13 Hz"), 0].item() == pytest.approx(2**0.5, rel=1e-4)
    assert maps[0, 0].item() == pytest.approx(3.0, rel=1e-5)


def test_small_plots_keep_the_order_of_the_head():
    names = ("A1", "T3", "C3", "CZ", "C4", "T4", "A2", "FP1", "O2")
    places = dict(zip(names, grid_places(names), strict=True))
    columns = [places[name][1] for name in names[:7]]
    assert columns == sorted(columns)
    assert len(set(places.values())) == len(names)
    assert places["FP1"][0] < places["CZ"][0] < places["O2"][0]


def test_figures_refuse_what_does_not_fit():
    with pytest.raises(ShapeError, match="signals have shape"):
        eeg.plot_waveforms(torch.zeros(2, 3, 8), CHANNELS, 64.0, NAMES)
    with pytest.raises(ShapeError, match="three electrodes"):
        eeg.scalp_maps(torch.zeros(1, 2), ("C3", "C4"), ["two"])
    with pytest.raises(ShapeError, match="10-10"):
        eeg.scalp_maps(torch.zeros(1, 3), ("C3", "C4", "sensor 1"), ["three"])
    with pytest.raises(ShapeError, match="wanted one each"):
        eeg.scalp_maps(torch.zeros(2, 8), CHANNELS, ["one"])
    with pytest.raises(ShapeError, match="probabilities"):
        eeg.plot_class_evidence(torch.zeros(3, 2), torch.zeros(2).long(), NAMES)
    with pytest.raises(ShapeError, match="wanted two"):
        eeg.plot_cosnet_steps(
            eeg.EEGCosNet(8, classes=3, filters=4, window=16), torch.zeros(8, 32), 64.0, NAMES
        )


def test_channels_without_a_place_are_drawn_in_rows():
    drawing = eeg.plot_waveforms(torch.randn(2, 5, 16), [f"sensor {k}" for k in range(5)], 64.0, NAMES)
    bottoms = {round(axes.get_position().y0, 3) for axes in drawing.axes}
    assert len(bottoms) == 2


def test_recordings_from_files(tmp_path):
    found = recordings(4)
    named = np.array(NAMES)[found.labels.numpy()]
    np.savez(tmp_path / "a.npz", x=found.x.numpy(), labels=named, rate=64.0, channels=np.array(CHANNELS))
    read = eeg.read_recordings(tmp_path / "a.npz")
    assert read.channels == CHANNELS
    assert [read.classes[label] for label in read.labels] == named.tolist()
    np.save(tmp_path / "b.npy", found.x.numpy())
    (tmp_path / "labels.csv").write_text("recording,label\n1,a\n2,b\n3,a\n4,b\n")
    read = eeg.read_recordings(tmp_path / "b.npy", tmp_path / "labels.csv", rate=32.0, window=0.5)
    assert read.x.shape == (8, 8, 16)
    assert read.labels.tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_files_that_do_not_fit(tmp_path):
    np.save(tmp_path / "flat.npy", np.zeros((3, 4)))
    with pytest.raises(DataFileError, match="wanted numbers x"):
        eeg.read_recordings(tmp_path / "flat.npy", rate=64.0)
    np.save(tmp_path / "x.npy", np.zeros((3, 1, 4)))
    with pytest.raises(DataFileError, match="rate"):
        eeg.read_recordings(tmp_path / "x.npy")
    (tmp_path / "two.csv").write_text("a\nb\n")
    with pytest.raises(DataFileError, match="labels have shape"):
        eeg.read_recordings(tmp_path / "x.npy", tmp_path / "two.csv", rate=64.0)
    (tmp_path / "none.csv").write_text("label\n")
    with pytest.raises(DataFileError, match="holds no labels"):
        eeg.read_recordings(tmp_path / "x.npy", tmp_path / "none.csv", rate=64.0)
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(DataFileError, match="cannot be read"):
        eeg.read_recordings(tmp_path / "objects.npy", rate=64.0)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataFileError, match="broken"):
        eeg.read_recordings(tmp_path / "broken.npz", rate=64.0)
