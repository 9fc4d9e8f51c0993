"""The published data sets: figures where they were present, and which were absent."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from results_text import measured, section, table
from results_text import read as read_json

NAME = "flow_published"


def published() -> str:
    found = read_json(NAME) or {"rows": [], "absent": []}
    parts = [_table(found["rows"])] if found["rows"] else []
    if found["absent"]:
        names = ", ".join(row["data"] for row in found["absent"])
        parts.append(
            f"Absent where this was run, and so not measured: {names}. The published figures stand in"
            " [datasets](datasets.md); no other data take their place."
        )
    return section(
        "Flows on the data of the published tables", "python benchmarks/flow_published.py FOLDER", *parts
    )


def _table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for data, model in dict.fromkeys((row["data"], row["model"]) for row in rows):
        same = [row for row in rows if (row["data"], row["model"]) == (data, model)]
        mean, bits = (fmean(row[key] for row in same) for key in ("log_likelihood", "bits_per_dim"))
        error = max(row["standard_error"] for row in same)
        sizes = f"{same[0]['parameters']:,}"
        lines.append([data, model, len(same), sizes, f"{mean:.3f} ± {error:.3f}", f"{bits:.3f}"])
    return table(["data", "model", "seeds", "parameters", "test log-likelihood, nats", "bits/dim"], lines)


def sections() -> list[str]:
    return measured({NAME: published})
