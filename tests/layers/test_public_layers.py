"""Every public layer has a sample, a reference and a running example."""

import inspect
import sys
from pathlib import Path

import pytest
from torch import nn

from preimage import layers
from preimage.testing import LAWS

sys.path.insert(0, str(Path(__file__).parent))
from table import all_samples, exceptions_table

PUBLIC = {
    name: value
    for name, value in vars(layers).items()
    if not name.startswith("_") and not inspect.ismodule(value)
}
FINAL = {
    name: value for name, value in PUBLIC.items() if inspect.isclass(value) and not inspect.isabstract(value)
}

WITH_TESTS_OF_THEIR_OWN = (
    layers.InterpolatedDensity,
    layers.Noise,
    layers.OneSided,
    layers.Stochastic,
    layers.StochasticChain,
    layers.Surjection,
    layers.UnitNoise,
)
"""No bijections, so that the laws do not apply to them."""


def _covered() -> set[type]:
    made = [sample.make() for sample in all_samples()]
    return {type(module) for layer in made for module in layer.modules() if isinstance(module, nn.Module)}


def test_every_final_layer_is_in_a_sample() -> None:
    covered = _covered()
    wanted = {name: value for name, value in FINAL.items() if issubclass(value, nn.Module)}
    missing = [
        name
        for name, value in wanted.items()
        if value not in covered and not issubclass(value, WITH_TESTS_OF_THEIR_OWN)
    ]
    assert not missing, f"add a sample to tests/layers/samples_*.py for {missing}"


@pytest.mark.parametrize("name", sorted(FINAL))
def test_docstring_has_reference_and_cost(name: str) -> None:
    text = inspect.getdoc(FINAL[name]) or ""
    assert "Reference:" in text
    assert "http" in text
    assert "Cost:" in text


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_docstring_has_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(PUBLIC[name]) or ""), f"{name} has no running example"


def test_names_are_listed_in_alphabetical_order() -> None:
    lines = [line for line in inspect.getsource(layers).splitlines() if line.startswith("from ")]
    assert lines == sorted(lines)


def test_exceptions_name_laws_and_give_reasons() -> None:
    for sample in all_samples():
        assert sample.exceptions.keys() <= LAWS.keys(), sample.name
        assert all(len(reason.split()) >= 3 for reason in sample.exceptions.values()), sample.name


def test_documentation_prints_the_exceptions() -> None:
    page = Path(__file__).parents[2] / "docs" / "exceptions.md"
    assert page.read_text() == exceptions_table(), "run: python tests/layers/table.py > docs/exceptions.md"
