"""``preimage sample``: rows or pictures from a trained density."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def sample(
    model: Annotated[Path, typer.Argument(help="Folder of a model that train wrote, or flows.save.")],
    *,
    count: Annotated[int, typer.Option(min=1, help="How many; for each row of the context if there is one.")],
    out: Annotated[Path, typer.Option(help="File .csv, .parquet or .npy; a folder for pictures.")],
    context: Annotated[
        Path | None, typer.Option(help="Table or array of the values to condition on.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Below 1 for samples nearer to the mode.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the randomness.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Draw from a density, in the units of its data."""
    import torch

    from preimage.cli.density.opened import Draw, opened

    found = opened(model)
    found.check_target(out)
    torch.manual_seed(seed)
    written = found.sample(Draw(count, context, temperature, silent=quiet), out)
    said = json.dumps({"out": str(out), "samples": written, "seed": seed})
    typer.echo(said if as_json else f"{written:,} samples in {out}")
