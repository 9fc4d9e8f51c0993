"""``preimage train``: a density of the user's own table, array or pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def train(
    data: Annotated[
        Path, typer.Argument(help="Table (.csv, .tsv, .parquet), array (.npy, .npz) or folder of pictures.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="New folder for the model and its report.")],
    preset: Annotated[
        str | None, typer.Option(help="[default: table for tables, nsf for arrays, glow for pictures]")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", help="Argument of the preset, NAME=VALUE; may be repeated.")
    ] = None,
    columns: Annotated[str, typer.Option(help="Comma-separated columns. [default: all]")] = "",
    context: Annotated[str, typer.Option(help="Comma-separated columns to condition on.")] = "",
    drop: Annotated[str, typer.Option(help="Comma-separated columns of a table to leave out.")] = "",
    positive: Annotated[
        str, typer.Option(help="Comma-separated columns of a table whose numbers are positive.")
    ] = "",
    bounded: Annotated[
        str, typer.Option(help="Comma-separated columns of a table between bounds, each NAME=LOW:HIGH.")
    ] = "",
    categorical: Annotated[
        str, typer.Option(help="Comma-separated columns of a table that are categories.")
    ] = "",
    size: Annotated[int | None, typer.Option(help="Cut and scale pictures to squares of this side.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the data at most.")] = 100,
    batch_size: Annotated[int, typer.Option(help="Rows of a training step.")] = 256,
    learning_rate: Annotated[float, typer.Option(help="At the top of the schedule.")] = 1e-3,
    patience: Annotated[int, typer.Option(help="Epochs without improvement before the end; 0: never.")] = 20,
    average: Annotated[float, typer.Option(help="Decay of a moving average of the weights; 0: none.")] = 0.0,
    clip: Annotated[float, typer.Option(help="Largest norm of the gradient.")] = 5.0,
    validation: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the rows that chooses the weights.")
    ] = 0.1,
    test: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the rows that the report is measured on.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Of weights, split, order and samples.")] = 0,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Folder for checkpoints; the same command goes on where a killed one was."),
    ] = None,
    checkpoint_every: Annotated[
        int | None, typer.Option(help="Steps between checkpoints. [default: one an epoch]")
    ] = None,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder for TensorBoard.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples that the report draws.")] = 2000,
    no_report: Annotated[bool, typer.Option("--no-report", help="Only the model.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Learn the density of a table, an array or a folder of pictures."""
    from preimage.cli.density.choice import Choice, kinds_of
    from preimage.cli.density.job import Order, carry_out

    settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "patience": patience,
        "average": average,
        "clip": clip,
        "seed": seed,
        "checkpoint": checkpoint,
        "checkpoint_every": checkpoint_every,
        "tensorboard": tensorboard,
        "progress": not quiet,
    }
    kinds = kinds_of(names_of(positive), names_of(bounded), names_of(categorical))
    choice = Choice(names_of(columns), names_of(context), size, drop=names_of(drop), kinds=kinds)
    order = Order(
        data, out, choice, preset, option or (), settings, validation, test, samples, report=not no_report
    )
    numbers = carry_out(order)
    typer.echo(json.dumps(numbers, default=str) if as_json else _said(numbers, out))


def names_of(text: str) -> tuple[str, ...]:
    """Comma-separated names."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _said(numbers: dict[str, Any], out: Path) -> str:
    rows = numbers["rows"]
    said = f"Trained on {rows['train']:,} rows in {numbers['seconds']:.0f} s."
    if "lead" not in numbers:
        return f"{said}\nModel: {out}"
    said += f" {numbers['lead']}"
    where = "" if numbers["measured_on"] == "test" else f" (measured on the {numbers['measured_on']} rows)"
    return f"{said}{where}\nModel: {out}\nOpen {out / 'report.html'}"
