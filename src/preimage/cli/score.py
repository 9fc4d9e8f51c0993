"""``preimage score``: the log-density of every row under a trained density."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

import typer


def score(
    model: Annotated[Path, typer.Argument(help="Folder of a model that train wrote, or flows.save.")],
    data: Annotated[Path, typer.Argument(help="Data of the kind that the model was trained on.")],
    *,
    out: Annotated[Path, typer.Option(help="File .csv, .parquet or .npy: the rows with log_prob.")],
    draws: Annotated[int, typer.Option(min=1, help="More draws tighten a density that is a bound.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the noise that such a density draws.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Append the log-density in nats, in the units of the data, to every row."""
    import torch

    from preimage.cli.density.opened import opened
    from preimage.cli.density.output import check_columns_target, write_columns

    check_columns_target(out)
    found = opened(model)
    material = found.read(data)
    torch.manual_seed(seed)
    log_prob = material.log_prob(found.model, draws)
    write_columns(out, material.scored(log_prob))
    rows, mean = len(log_prob), float(log_prob.mean())
    error = float(log_prob.std(ddof=1) / math.sqrt(rows)) if rows > 1 else math.nan
    summary = {"out": str(out), "rows": rows, "mean_log_prob": mean, "standard_error": error}
    spread = f" ± {error:.2g}" if rows > 1 else ""
    said = f"{rows:,} row{'s' * (rows != 1)} in {out}: mean log-density {mean:.4g}{spread} nats"
    typer.echo(json.dumps({k: _finite(v) for k, v in summary.items()}) if as_json else said)


def _finite(value: object) -> object:
    """JSON has no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
