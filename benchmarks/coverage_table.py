"""Writes docs/coverage.md from benchmarks/results/coverage.json.

python benchmarks/coverage_table.py
"""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "coverage.json"
GUARANTEES = ("exact", "left", "certified", "iterative", "right", "estimate", "opaque", "computed")

INTRODUCTION = """# Coverage

Written by `python benchmarks/coverage_table.py` from the file of `python benchmarks/coverage.py`. One small network of
each classification family of torchvision and timm, with random weights and the smallest picture that it takes: captured,
planned, its ledger printed, and inverted from the logits and from the middle, each in a process of its own within 3 GiB
and 10 minutes. A network counts as covered when all of this ends with an answer and a certificate.

This page says what is *covered*, not how well pictures come back: weights are random, and logits of ten classes cannot
determine a picture. The columns count the values that the network computes by what is promised of the step that finds
them again: `exact`, `left` (nothing lost), `certified` (exact where the certificate says so), `iterative` (solved, with a
certificate: residual blocks and gates), `right` (one preimage of many), `opaque` (no rule: solved as a whole).
`computed` values follow from others by running the network forward. Residuals are `|f(g(y)) - y| / |y|` of one call
with the default effort, data-free; a residual that is not small says that the call was stopped, and its certificate
says so too. Seconds are process time of one thread on a busy machine.
"""


def main() -> None:
    rows = json.loads(RESULTS.read_text())["rows"]
    parts = [INTRODUCTION.strip(), summary(rows)]
    parts += [
        section(library, [r for r in rows if r["library"] == library]) for library in ("torchvision", "timm")
    ]
    (ROOT / "docs" / "coverage.md").write_text("\n\n".join(parts) + "\n")


def failed(row: dict) -> bool:
    return isinstance(row.get("error"), str)


def summary(rows: list[dict]) -> str:
    lines = []
    for library in ("torchvision", "timm"):
        mine = [row for row in rows if row["library"] == library]
        done = [row for row in mine if not failed(row)]
        share = 100 * len(done) / max(1, len(mine))
        lines.append(f"- {library}: {len(done)} of {len(mine)} families covered ({share:.0f} %)")
    names = sorted({name for row in rows for name in row.get("operations", {})})
    lines.append(f"- {len(names)} different operations: {', '.join(f'`{name}`' for name in names)}")
    return "\n".join(lines)


def section(library: str, rows: list[dict]) -> str:
    head = [
        "network",
        "pixels",
        "values",
        *GUARANTEES,
        "capture s",
        "plan s",
        "from logits",
        "from the middle",
    ]
    body = [line(row) for row in sorted(rows, key=lambda row: row["name"])]
    return "\n".join([f"## {library}", "", _row(head), "|" + "---|" * len(head), *map(_row, body)])


def line(row: dict) -> list:
    if "values" not in row:
        return [row["name"], *["" for _ in range(len(GUARANTEES) + 4)], row.get("error", ""), ""]
    ends = [residual(row.get(end)) for end in ("logits", "middle")]
    if failed(row):
        ends = [row["error"].split(":")[0].replace("|", "/"), ""]
    counts = [row["values"][word] or "" for word in GUARANTEES]
    return [
        row["name"], row["pixels"], row["nodes"], *counts, row["capture_seconds"], row["plan_seconds"], *ends
    ]  # fmt: skip


def residual(found: dict | None) -> str:
    return "" if found is None else f"{found['residual']:.0e} ({found['seconds']:.1f} s)"


def _row(cells: list) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
