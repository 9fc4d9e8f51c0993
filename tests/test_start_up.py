"""Importing the library and asking for help is quick; every public name is there when it is used."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import preimage as pi

SOURCE = Path(pi.__file__)


def listed_for_type_checkers():
    """(public name, module that it is taken from) of every import in the TYPE_CHECKING block."""
    (block,) = (node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If))
    for statement in block.body:
        for alias in statement.names:
            assert alias.asname == alias.name
            yield alias.name, statement.module


NAMES = dict(listed_for_type_checkers())


@pytest.mark.parametrize("name", NAMES)
def test_what_type_checkers_see_is_what_runs(name):
    module = NAMES[name]
    wanted = (
        import_module(f"preimage.{name}") if module == "preimage" else getattr(import_module(module), name)
    )
    assert getattr(pi, name) is wanted
    assert name in dir(pi)


def test_both_lists_hold_the_same_names():
    assert set(pi._HOMES) == {name for name, module in NAMES.items() if module != "preimage"}


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'inverted'"):
        pi.inverted
    assert not hasattr(pi, "_hidden")


def loaded_by(code):
    """Modules loaded after some code in a fresh interpreter."""
    script = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import preimage", "import preimage.cli", "from preimage import errors"])
def test_start_up_loads_nothing_heavy(code):
    assert not loaded_by(code) & {"torch", "numpy", "keras", "onnx"}


def test_help_needs_no_network_library():
    code = "import sys; sys.argv = ['preimage', '--help']\nfrom preimage import cli\ntry: cli.main()"
    code += "\nexcept SystemExit: pass"
    assert not loaded_by(code) & {"torch", "numpy"}


def test_a_first_use_loads_its_own_room_only():
    loaded = loaded_by("import preimage as pi; pi.Certificate")
    assert "torch" in loaded
    assert "preimage.inverse" not in loaded


def test_reversible_chains_need_no_import_of_their_own():
    loaded_by("from preimage.bijection import Chain; Chain(memory='reversible')")
