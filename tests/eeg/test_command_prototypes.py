"""``preimage prototypes`` from a file to a page."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("mne")
pytest.importorskip("matplotlib")
testing = pytest.importorskip("typer.testing")

from preimage import eeg  # noqa: E402
from preimage.cli import app  # noqa: E402
from preimage.errors import DataFileError, OutputError  # noqa: E402


def run(*arguments):
    return testing.CliRunner().invoke(app, ["prototypes", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def data(tmp_path):
    features = [eeg.Offset("level", ("C3",), levels=(9.0, -9.0))]
    x, labels, _ = eeg.synthetic(
        60, ("C3", "CZ", "C4"), 32, features=features, generator=torch.Generator().manual_seed(0)
    )
    np.savez(tmp_path / "some.npz", x=x.numpy(), labels=labels.numpy(), rate=64.0)
    return tmp_path / "some.npz"


def test_a_page_appears(data, tmp_path):
    found = run(data, "--out", tmp_path / "report", "--channels", "C3, CZ, C4")
    assert found.exit_code == 0, found.output
    assert "held-out recordings are classified rightly" in found.output
    numbers = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert numbers["channels"] == ["C3", "CZ", "C4"]
    assert numbers["accuracy"]["trials"] == pytest.approx(15, abs=1)
    assert (tmp_path / "report" / "maps_1.png").exists()


def test_mistakes_are_said(data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError):
        run(data, "--out", tmp_path / "mine")
    np.savez(tmp_path / "unlabelled.npz", x=np.zeros((20, 3, 32)), rate=64.0)
    with pytest.raises(DataFileError, match="give labels"):
        run(tmp_path / "unlabelled.npz", "--out", tmp_path / "report")
    assert not (tmp_path / "report").exists()
