"""The EEG demonstration runs, and finds what was planted."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("mne")
pytest.importorskip("matplotlib")
SCRIPT = Path(__file__).parents[2] / "examples" / "eeg_demo.py"


@pytest.mark.slow
def test_eeg_demo(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("eeg_demo", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    figures = script.main(["--out", str(tmp_path), "--recordings", "400", "--epochs", "4"])
    assert figures["inverse"] <= 1e-4
    assert figures["report"] > 0.8
    assert (tmp_path / "report" / "index.html").exists()
    assert len(list(tmp_path.glob("*.png"))) == 6
    assert "at best" in capsys.readouterr().out
