"""The example learns, writes its report, and finds unlikely rows."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
SCRIPT = Path(__file__).parents[2] / "examples" / "train_a_density.py"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("train_a_density", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_on_a_toy(script, tmp_path, capsys):
    report = script.main(
        ["--data", "circles", "--out", str(tmp_path / "m"), "--rows", "600", "--epochs", "2"]
    )
    assert report.numbers["held_out"]["rows"] == 60
    assert (tmp_path / "m/report.html").is_file()
    assert "least likely rows" in capsys.readouterr().out


def test_on_a_table(script, tmp_path, capsys):
    pytest.importorskip("pandas")
    lines = ["height,group", *(f"{150 + 0.37 * (n % 29)},{'ab'[n % 2]}" for n in range(100))]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    script.main(["--data", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "m"), "--epochs", "1"])
    assert (tmp_path / "m/plots/corner.png").is_file()
    assert "nats" in capsys.readouterr().out
