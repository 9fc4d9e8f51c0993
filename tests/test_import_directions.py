"""Rooms may only look into the rooms that the design allows."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "preimage"

BASE = {"errors", "certificate", "functional", "domains"}
CONTRACT = BASE | {"bijection", "checks", "certify", "transforms", "reversible", "rebuild"}
ALLOWED = {
    "errors": set(),
    "certificate": {"errors"},
    "functional": BASE,
    "domains": BASE,
    "capture": BASE,
    "nets": CONTRACT,
    "layers": CONTRACT | {"layers", "nets"},
    "storage": {"errors"},
    "training": BASE | {"storage"},
    "flows": CONTRACT | {"layers", "nets", "storage", "training"},
    "datasets": BASE | {"zoo"},
    "classify": CONTRACT | {"layers", "nets", "storage", "training", "flows", "capture", "inverse"},
    "eeg": CONTRACT | {"datasets", "zoo", "layers", "nets", "storage", "training", "flows", "classify"},
    "palindromes": CONTRACT | {"layers", "nets", "training", "inverse"},
    "replace": CONTRACT | {"layers", "nets", "training", "capture", "inverse"},
    "inverse": CONTRACT | {"capture", "layers", "storage", "training"},
    "decoders": CONTRACT | {"nets", "storage", "training", "capture", "inverse"},
    "zoo": BASE,
    "gallery": BASE | {"capture", "inverse", "zoo"},
    "testing": CONTRACT | {"layers", "nets", "testing"},
}


def room_of(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [
                f"{node.module}.{a.name}" if node.module == "preimage" else node.module for a in node.names
            ]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "preimage" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_looks_only_where_it_may(room):
    files = [path for path in SOURCE.rglob("*.py") if room_of(path) == room]
    assert files
    for path in files:
        wrong = set(imported_rooms(path)) - ALLOWED[room] - {room, "__version__"}
        assert not wrong, f"{path.relative_to(SOURCE)} imports {sorted(wrong)}"


def test_every_room_has_its_place_in_this_table():
    free = {
        "__init__",
        "cli",
        "estimators",
        "weights",
    }  # the public list and the command line sit on top of everything
    rooms = {room_of(path) for path in SOURCE.rglob("*.py")}
    assert rooms - set(ALLOWED) - CONTRACT <= free
