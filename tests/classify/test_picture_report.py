"""``preimage prototypes`` of pictures: from a folder or archive to a page."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("matplotlib")
testing = pytest.importorskip("typer.testing")

from preimage.classify import load_classifier, picture_classifier, report_pictures, save_classifier  # noqa: E402
from preimage.cli import app  # noqa: E402
from preimage.errors import DataFileError  # noqa: E402


def bars(rows=32, side=8):
    """Bright bars, upright in class 0 and lying in class 1."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % 2
    x = rng.integers(0, 60, (rows, side, side), dtype=np.uint8)
    for picture, label in zip(x, labels, strict=True):
        place = rng.integers(1, side - 1)
        picture[(slice(None), place) if label == 0 else (place, slice(None))] = 230
    return x, labels


def run(*arguments):
    return testing.CliRunner().invoke(app, ["prototypes", *map(str, arguments)], catch_exceptions=False)


def short(*arguments, **settings):
    x, labels = bars()
    pictures = torch.from_numpy(x)[:, None]
    return report_pictures(pictures, torch.from_numpy(labels), ("a<b", "lying"), *arguments, **settings)


def test_a_page_appears_for_an_archive(tmp_path):
    x, labels = bars(side=7)  # an odd size is padded
    np.savez(tmp_path / "bars.npz", x=x, labels=labels, classes=["upright", "lying"])
    found = run(tmp_path / "bars.npz", "--out", tmp_path / "report", "--steps", 40)
    assert found.exit_code == 0, found.output
    assert "held-out pictures are classified rightly" in found.output
    numbers = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert numbers["classes"] == ["upright", "lying"]
    assert numbers["accuracy"]["trials"] == sum(map(sum, numbers["true_by_predicted"])) == 8
    assert max(numbers["prototype_error"]) < 1e-3
    for name in ("prototypes", "confusions", "reliability"):
        assert (tmp_path / "report" / f"{name}.png").stat().st_size > 1000
    assert "upright and lying" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_a_folder_of_classes_and_a_saved_model(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for picture, label, number in zip(*bars(), range(32), strict=True):
        folder = tmp_path / "pictures" / ("upright", "lying")[label]
        folder.mkdir(parents=True, exist_ok=True)
        image.fromarray(picture).save(folder / f"{number}.png")
    torch.manual_seed(0)
    model = picture_classifier((1, 8, 8), ("lying", "upright"), steps=(1,), hidden_channels=(4,)).eval()
    path = save_classifier(model, tmp_path / "model")
    found = run(tmp_path / "pictures", "--out", tmp_path / "report", "--model", path)
    assert found.exit_code == 0, found.output
    numbers = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert numbers["model"] == "GenerativeClassifier"
    assert numbers["accuracy"]["trials"] == 32
    assert numbers["classes"] == list(load_classifier(path).class_names)


def test_words_are_escaped_and_parts_are_held_out():
    found = short(steps=4, generator=torch.Generator().manual_seed(0))
    assert found.accuracy.trials == 8
    assert found.kinds.prototypes.x.shape == found.members.shape == (6, 1, 8, 8)
    assert found.confusions().sum() == 8
    assert found.probabilities.shape == (8, 2)


def test_too_few_pictures_are_refused():
    with pytest.raises(DataFileError, match="8 or more"):
        report_pictures(torch.zeros(9, 1, 8, 8).byte(), torch.arange(9) % 2, ("a", "b"))
    with pytest.raises(DataFileError, match="two"):
        report_pictures(torch.zeros(9, 1, 8, 8).byte(), torch.zeros(9).long(), ("a",))
