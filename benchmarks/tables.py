"""Writes docs/results.md from the JSON files in benchmarks/results: no figure is typed by hand.

python benchmarks/tables.py

Every topic is a file tables_TOPIC.py with a function ``sections() -> list[str]``.
"""

import importlib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOPICS = ("exact", "networks", "preimages", "seeds", "layers", "flows", "losses", "classify", "eeg")

INTRODUCTION = """# Results

Every figure on this page is copied by `python benchmarks/tables.py` from a JSON file that the command above it
wrote. Times are process time of one thread unless they are called wall-clock; machines differ, ratios within one
run travel. Pictures are 224 x 224 crops of photographs that ship inside Python packages. None of the pictures
reported under *depth curve* and *demo* was used to choose anything.
"""


def topics() -> list[str]:
    here = {path.stem.removeprefix("tables_") for path in Path(__file__).parent.glob("tables_*.py")}
    return [*(topic for topic in TOPICS if topic in here), *sorted(here.difference(TOPICS))]


def main() -> None:
    parts = [part for topic in topics() for part in importlib.import_module(f"tables_{topic}").sections()]
    (ROOT / "docs" / "results.md").write_text("\n\n".join([INTRODUCTION.strip(), *parts]) + "\n")


if __name__ == "__main__":
    main()
