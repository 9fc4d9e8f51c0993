"""The example keeps what it claims: ten questions, five ways, fifty right answers."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "which_input_would_answer.py"


@pytest.mark.shows("2-3", "2-5")
def test_every_way_of_asking_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib").use("agg")
    spec = importlib.util.spec_from_file_location("which_input_would_answer", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    file = tmp_path / "answers.png"
    recognised = module.main(["--steps", "80", "--save", str(file)])
    assert recognised == dict.fromkeys(
        ("chain", "least norm", "pixels 0..1", "nearest to a digit", "most probable"), 10
    )
    assert "54 directions change nothing" in capsys.readouterr().out
    assert file.stat().st_size > 1000
