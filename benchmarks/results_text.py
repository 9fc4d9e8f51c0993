"""How a table of results is written: read a JSON file, make Markdown of it."""

import json
from collections.abc import Callable
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def read(name: str) -> dict | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def table(head: list[str], rows: list[list]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def section(title: str, command: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", f"`{command}`", *parts])


def measured(parts: dict[str, Callable[[], str]]) -> list[str]:
    """The sections whose JSON file, the key, is there."""
    return [make() for name, make in parts.items() if read(name) is not None]
