"""The example about prototypes runs and keeps what it prints."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

SCRIPT = Path(__file__).parents[2] / "examples" / "what_a_class_looks_like.py"


@pytest.mark.shows("4-11")
def test_what_a_class_looks_like(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("what_a_class_looks_like", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    figures = script.main(["--epochs", "4", "--out", str(tmp_path / "digits.png")])
    assert figures["accuracy"] > 0.8
    assert figures["residual"] <= 1e-4
    assert figures["moved"] == 1.0
    assert (tmp_path / "digits.png").stat().st_size > 10_000
    assert "converged; largest relative residual" in capsys.readouterr().out
