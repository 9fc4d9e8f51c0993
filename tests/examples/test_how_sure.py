"""The example of intervals runs, and they hold what they promise."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

SCRIPT = Path(__file__).parents[2] / "examples" / "how_sure.py"


def test_how_sure(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("how_sure", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    covered = script.main(["--steps", "30"])
    assert all(0.86 < value < 0.94 for value in covered.values())
    assert len(capsys.readouterr().out.splitlines()) == 5
