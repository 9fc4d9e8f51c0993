"""How decoders err on pictures that they have not seen: a second, short pass over the calibration data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from preimage.inverse.calibrate.fit import DecoderFit
from preimage.inverse.calibration import Calibration
from preimage.inverse.posterior.error_fit import ErrorFit
from preimage.inverse.posterior.error_model import ErrorModel

PICTURES = 192
"""Inputs that are looked at in any case, where there are as many."""

NUMBERS = 1_000_000
"""Numbers of inputs that are looked at where inputs are small."""


@torch.no_grad()
def error_models(
    fits: Mapping[str, DecoderFit], features: Callable[[Tensor], Mapping[str, Tensor]], data: Calibration
) -> dict[str, ErrorModel]:
    """An error model for the decoder of each tap, from its estimates of inputs that were left out.

    Args:
        fits: label -> a fit that was solved.
        features: from inputs to values at the taps by label, one row a sample.
        data: the inputs that the fits have counted.

    Returns:
        Label -> model; nothing where there is a single source.

    Cost: one forward pass, one estimate a tap and one look at the errors for about 192 inputs.
    """
    groups = torch.arange(len(data.x), device=data.x.device) if data.groups is None else data.groups
    wanted = max(PICTURES, NUMBERS // max(1, data.x[0].numel()))
    chosen = in_turn(groups, -(-wanted // data.batch) * data.batch)  # whole batches, as some networks need
    if len(groups[chosen].unique()) < 2:
        return {}
    errors = {label: ErrorFit(fit.input_shape, fit.tap_shape) for label, fit in fits.items()}
    for rows in chosen.split(data.batch):
        x, sources = data.x[rows.to(data.x.device)], groups[rows]
        for label, y in features(x).items():
            errors[label].update(fits[label].left_out(y, sources), y, x, sources)
    return {label: fit.solve() for label, fit in errors.items()}


def in_turn(groups: Tensor, count: int) -> Tensor:
    """At most so many rows, as many of each group as of any other as far as that goes.

    Where not all groups get one more, those that do are spread over the list: lists are often sorted, and the
    first part of a sorted list is not like the rest.

    Args:
        groups: the group of each row, ``(N,)``.
        count: how many rows.

    Example:
        >>> in_turn(torch.tensor([5, 5, 5, 7, 9]), 4).tolist()
        [0, 3, 4, 1]
    """
    turn: dict[int, int] = {}
    turns = []
    for group in groups.tolist():
        turns.append(turn.get(group, 0))
        turn[group] = turns[-1] + 1
    turn_of = torch.tensor(turns, device=groups.device)
    order = turn_of.sort(stable=True).indices
    if count >= len(order):
        return order
    last = turn_of[order[count - 1]]
    whole, part = order[turn_of[order] < last], order[turn_of[order] == last]
    wanted = count - len(whole)
    return torch.cat([whole, part[torch.arange(wanted, device=part.device) * len(part) // wanted]])
