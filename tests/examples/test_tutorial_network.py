"""The tutorial network keeps what it claims."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "tutorial_network.py"


@pytest.mark.shows("3-21")
@pytest.mark.parametrize("seed", ["0", "7"])
def test_tutorial_network(seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("tutorial_network", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    figures = script.main(["--rows", "6", "--seed", seed])
    assert all(value <= 1e-12 for value in figures.values()), figures
    printed = capsys.readouterr().out
    assert "converged; largest relative residual" in printed
    layers = [line.split()[0] for line in printed.splitlines()[1:15]]
    wanted = "Orthogonal Diagonal Orthogonal Baird Orthogonal Permutation Concatenate Diagonal Permutation"
    assert layers == [*wanted.split(), "Coupling", "Permutation", "Coupling", "Orthogonal", "LeakyReLU"]
