"""The command line: parse, call the library, print. Heavy imports wait until a command runs.

Every command is a function in a file of its own; a new one is added to ``COMMANDS``.
"""

from __future__ import annotations

import sys

import typer

from preimage.cli.invert import invert
from preimage.cli.pictures import pictures
from preimage.cli.prototypes import prototypes
from preimage.cli.sample import sample
from preimage.cli.score import score
from preimage.cli.train import train
from preimage.errors import PreimageError

COMMANDS = (invert, train, sample, score, prototypes, pictures)

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def preimage() -> None:
    """Run neural networks backwards."""


for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Entry point: errors that the library raises on purpose are one message, not a traceback."""
    try:
        app()
    except PreimageError as error:
        typer.echo(f"preimage: {error}", err=True)
        sys.exit(2)
