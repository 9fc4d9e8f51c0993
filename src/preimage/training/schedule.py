"""Learning rates over the steps of a run."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable
from typing import Any

Schedule = Callable[[int], float]


class ScheduleRule(abc.ABC):
    """A schedule that depends on how many steps an epoch of the run has; subclasses are dataclasses.

    Example:
        >>> from preimage.training import CosineCycles
        >>> issubclass(CosineCycles, ScheduleRule)
        True
    """

    @abc.abstractmethod
    def factor(self, epoch_steps: int) -> Schedule:
        """The factor on the learning rate at a step, for epochs of this many steps."""

    def restarts(self, step: int, epoch_steps: int) -> bool:
        """Whether the optimiser forgets its moments before this step."""
        return False

    def plain(self) -> dict[str, Any]:
        """Name and settings, as JSON can hold them."""
        settings = dataclasses.asdict(self) if dataclasses.is_dataclass(self) else {}
        return {"rule": type(self).__name__} | settings


def cosine(steps: int, warm_up: int) -> Schedule:
    r"""Rise over the warm-up, then half a cosine down to zero.

    .. math:: s_t = \tfrac12 \left(1 + \cos \pi \frac{t - w}{T - w}\right) \quad\text{for } t \ge w

    Reference: Loshchilov, Hutter (2017), SGDR, https://arxiv.org/abs/1608.03983

    Args:
        steps: steps T of the whole run.
        warm_up: steps w of the rise.

    Returns:
        The factor on the learning rate at a step.

    Example:
        >>> [round(cosine(4, 0)(t), 2) for t in range(5)]
        [1.0, 0.85, 0.5, 0.15, 0.0]
    """

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / (warm_up + 1)
        done = (min(step, steps) - warm_up) / max(1, steps - warm_up)
        return 0.5 * (1 + math.cos(math.pi * done))

    return factor


def constant(steps: int, warm_up: int) -> Schedule:
    """Rise over the warm-up, then 1.

    Example:
        >>> [constant(4, 1)(t) for t in range(3)]
        [0.5, 1.0, 1.0]
    """
    return lambda step: min(1.0, (step + 1) / (warm_up + 1))


SCHEDULES: dict[str, Callable[[int, int], Schedule]] = {"cosine": cosine, "constant": constant}
"""Schedules by the word that names them in :class:`~preimage.training.FitSettings`."""
