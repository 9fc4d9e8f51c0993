"""The example of two critics runs, and the likelihood is ahead of the critics in what it optimises."""

import importlib.util
import math
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "both_ways.py"


@pytest.mark.shows("3-24")
def test_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("both_ways", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found = script.main(["--steps", "60", "--rows", "500"])
    assert found["likelihood"]["NLL"] < found["critics"]["NLL"]
    assert abs(found["both"]["NLL"] - found["likelihood"]["NLL"]) < 0.9
    assert all(math.isfinite(value) for row in found.values() for value in row.values())
    assert len(capsys.readouterr().out.splitlines()) == 4
