"""Training a part of a chain, and keeping the result only where it is better."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from preimage.errors import PreimageError
from preimage.training import FitSettings, fit

Pair = tuple[Tensor, Tensor]
"""What goes in and what should come out, row by row."""


@torch.no_grad()
def applied(stage: nn.Module, y: Tensor) -> Tensor:
    """What a part answers in evaluation mode, some rows at a time."""
    training = stage.training
    found = torch.cat([stage.eval()(part) for part in y.split(32)])
    stage.train(training)
    return found


def error_of(part: nn.Module, y: Tensor, x: Tensor) -> float:
    """Mean square error; infinite where the part cannot answer."""
    try:
        error = row_squares(applied(part, y), x).mean().item()
    except PreimageError:
        return math.inf
    return error if not math.isnan(error) else math.inf


def row_squares(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean square error of every row ``(N,)``."""
    return (found - wanted).square().flatten(1).mean(1)


def train_from_here(
    module: nn.Module,
    objective: Callable[[nn.Module, tuple[Tensor, ...]], Tensor],
    data: Pair,
    validation: Pair,
    settings: FitSettings,
) -> None:
    """Train, and go back to the start unless the validation loss fell."""
    start = {name: value.clone() for name, value in module.state_dict().items()}
    with torch.no_grad():
        before = objective(module.eval(), validation).mean()
    fit(module, objective, data[0], settings, context=data[1], validation=validation)
    with torch.no_grad():
        after = objective(module.eval(), validation).mean()
    if not bool(after < before):
        module.load_state_dict(start)
