"""Claim: where zuko, nflows, normflows, FrEIA or torchflows has a layer of ours, both compute the same numbers.

Setting: the differential tests of tests/peers, float64, the same weights in both libraries, random inputs of a
few rows. The largest difference |a - b| / (1 + |b|) over values and log_dets of each direction, over all tests
of a pair of layers. Writes docs/peers_layers.md from the JSON.

    python benchmarks/peer_layers.py
"""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "peer_layers.json"
PAGE = ROOT / "docs" / "peers_layers.md"
PEERS = ("FrEIA", "nflows", "normflows", "torchflows", "zuko")
NUMBERS = ("forward", "forward log_det", "inverse", "inverse log_det")

HEAD = """# The same layers in other libraries

For every pair below both libraries hold the same weights and run the same map in float64: the columns are the
largest difference `|a - b| / (1 + |b|)` of values and log_dets, in each direction, over all tests of the pair
(`tests/peers/`). Where a number is larger than 1e-10, the test says what the other library does differently.
Written by `python benchmarks/peer_layers.py`, which runs these tests.
"""


class Collector:
    """A pytest plugin that keeps what the tests recorded."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a finished test recorded."""
        if report.when == "call":
            kept = [value for name, value in report.user_properties if name == "peer"]
            self.found += [{**value, "passed": report.passed} for value in kept if isinstance(value, dict)]


def merged(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a pair of layers: the worst of its tests, and how many there were."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found:
        key = (one["layer"], one["peer"])
        row = rows.setdefault(key, {"layer": key[0], "peer": key[1], "tests": 0, "passed": True})
        row["tests"] += 1
        row["passed"] &= one["passed"]
        for name in NUMBERS:
            row[name] = max(row.get(name, 0.0), one[name])
    return [rows[key] for key in sorted(rows, key=lambda pair: (pair[0].lower(), pair[1].lower()))]


def page(report: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [
        HEAD,
        f"Measured with {versions}.\n",
        "| layer | peer | tests | " + " | ".join(NUMBERS) + " |",
        "|---|---|---|" + "---|" * len(NUMBERS),
    ]
    for row in report["rows"]:
        numbers = " | ".join("0" if row[name] == 0 else f"{row[name]:.0e}" for name in NUMBERS)
        lines.append(f"| {row['layer']} | {row['peer']} | {row['tests']} | {numbers} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    collector = Collector()
    code = pytest.main(["-q", "--no-header", str(ROOT / "tests" / "peers")], plugins=[collector])
    if code != 0:
        raise SystemExit(f"the tests failed with code {int(code)}; nothing is written")
    versions = {name: importlib.metadata.version(name) for name in PEERS}
    report = {"versions": versions, "rows": merged(collector.found)}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    PAGE.write_text(page(report))
    print(f"{len(report['rows'])} pairs of layers, {len(collector.found)} comparisons")


if __name__ == "__main__":
    main()
