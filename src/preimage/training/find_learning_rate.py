"""A learning rate that suits a model and its data."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import chain, count, islice
from typing import Any

import torch
from torch import nn

from preimage.training import state
from preimage.training.batches import Batches, as_source
from preimage.training.run import Objective, Run
from preimage.training.settings import FitSettings


@dataclass(frozen=True)
class LearningRates:
    """What a sweep found.

    Args:
        rates: learning rates tried, rising.
        losses: smoothed losses at each.
        suggestion: where the loss falls fastest.
    """

    rates: list[float]
    losses: list[float]
    suggestion: float


def find_learning_rate(
    model: nn.Module,
    objective: Objective,
    data: Any,
    settings: FitSettings | None = None,
    *,
    context: Any = None,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
) -> LearningRates:
    """Raise the learning rate step by step until the loss diverges; the weights are put back afterwards.

    Reference: Smith (2017), Cyclical learning rates, section 3.3, https://arxiv.org/abs/1506.01186

    Args:
        model: the module to train later.
        objective: as in :func:`~preimage.training.fit`.
        data: as in :func:`~preimage.training.fit`.
        settings: of the later run.
        context: as in :func:`~preimage.training.fit`.
        lowest: first learning rate.
        highest: last learning rate, above ``lowest``.
        steps: number of steps between, 10 or more.

    Returns:
        The curve, and the rate at which the loss falls fastest.

    Raises:
        ValueError: rates or steps out of range.

    Cost: ``steps`` training steps.

    Example:
        >>> model = torch.nn.Linear(2, 1)
        >>> loss = lambda m, batch: m(batch[0])[:, 0] ** 2
        >>> 1e-6 <= find_learning_rate(model, loss, torch.randn(64, 2)).suggestion <= 1
        True
    """
    if not 0 < lowest < highest or steps < 10:
        raise ValueError(
            f"find_learning_rate: got {lowest} to {highest} in {steps} steps, wanted rising rates, 10"
            " steps or more"
        )
    settings = settings or FitSettings()
    relative = [replace(g, learning_rate=g.learning_rate / settings.learning_rate) for g in settings.groups]
    settings = replace(settings, schedule="constant", warm_up=0.0, learning_rate=1.0, groups=tuple(relative))
    before = state.module_tensors(model)
    source = as_source(data, context)
    batches = Batches(source, torch.arange(len(source)), settings.batch_size, settings.seed)
    run = Run(model, objective, settings, steps)
    factor = (highest / lowest) ** (1 / (steps - 1))
    try:
        losses = _sweep(run, batches, lowest, factor, steps)
    finally:
        state.restore_module(model, before)
    rates = [lowest * factor**i for i in range(len(losses))]
    return LearningRates(rates, losses, _steepest(rates, losses))


def _sweep(run: Run, batches: Batches, lowest: float, factor: float, steps: int) -> list[float]:
    losses: list[float] = []
    endless = chain.from_iterable(batches.epoch(number) for number in count())
    for number, batch in enumerate(islice(endless, steps)):
        run.slowed = lowest * factor**number
        loss, finite = run.step(batch)
        value = loss.item()
        if not finite or (losses and value > losses[0] + 4 * (abs(losses[0]) + 1)):
            break
        losses.append(0.8 * losses[-1] + 0.2 * value if losses else value)
    return losses


def _steepest(rates: list[float], losses: list[float]) -> float:
    """The rate before the steepest fall of the loss over the logarithm of the rate."""
    if len(losses) < 3:
        return rates[0] if rates else math.nan
    falls = [losses[i - 1] - losses[i + 1] for i in range(1, len(losses) - 1)]
    return rates[1 + max(range(len(falls)), key=falls.__getitem__)]
