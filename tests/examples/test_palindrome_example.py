"""The examples on palindromes and rebuilt networks keep what they claim, in a short form."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.shows("1-7", "1-8")
def test_palindrome(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib").use("agg")
    picture = tmp_path / "digits.png"
    figures = script("palindrome").main(["--epochs", "8", "--rows", "600", "--plot", str(picture)])
    assert figures["palindrome"] < figures["principal components"]
    assert figures["|encode(decode(c)) - c| / |c|"] < 1e-4
    assert figures["gram deviation"] < 1e-5
    assert "palindrome" in capsys.readouterr().out
    assert picture.stat().st_size > 1000


@pytest.mark.shows("0-19")
def test_rebuild_backwards(capsys: pytest.CaptureFixture[str]) -> None:
    report = script("rebuild_backwards").main(["--network", "small"])
    assert [run.tap for run in report.runs] == ["2", "3", "output"]
    assert all(run.forward_against_target < 1e-2 for run in report.runs)
    assert "of the steps back are exact" in capsys.readouterr().out
