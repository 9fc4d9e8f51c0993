"""Schedules that start again and again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from preimage.training.schedule import Schedule, ScheduleRule


@dataclass(frozen=True)
class CosineCycles(ScheduleRule):
    r"""Cycles of a linear warm-up and half a cosine down to zero, counted in the epochs of the run itself.

    .. math:: s_t = \tfrac12 \left(1 + \cos \pi \frac{t - w}{P - w}\right) \quad\text{for } w \le t < P

    with w and P the steps of the warm-up and of a cycle, and t counted from the start of the cycle. The steps
    of an epoch are those of the data that are trained on, so the cosine reaches zero where the cycle ends.

    Reference: Loshchilov, Hutter (2017), SGDR, https://arxiv.org/abs/1608.03983

    Args:
        epochs: of a cycle.
        warm_up_epochs: epochs of a cycle over which the learning rate rises, fewer than ``epochs``.
        restart_optimiser: whether every cycle starts without the moments of the one before.

    Raises:
        ValueError: there are no epochs, or no epoch after the warm-up.

    Example:
        >>> factor = CosineCycles(epochs=3, warm_up_epochs=1).factor(epoch_steps=2)
        >>> [round(factor(step), 2) for step in range(7)]
        [0.33, 0.67, 1.0, 0.85, 0.5, 0.15, 0.33]
    """

    epochs: int = 25
    warm_up_epochs: int = 1
    restart_optimiser: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.warm_up_epochs < self.epochs:
            raise ValueError(
                f"CosineCycles: epochs is {self.epochs}, warm_up_epochs {self.warm_up_epochs}; wanted one"
                " epoch or more, and fewer to warm up"
            )

    def factor(self, epoch_steps: int) -> Schedule:
        """The factor on the learning rate at a step."""
        cycle, rising = self.epochs * epoch_steps, self.warm_up_epochs * epoch_steps

        def at(step: int) -> float:
            step %= cycle
            if step < rising:
                return (step + 1) / (rising + 1)
            return 0.5 * (1 + math.cos(math.pi * (step - rising) / (cycle - rising)))

        return at

    def restarts(self, step: int, epoch_steps: int) -> bool:
        """Whether the optimiser forgets before this step."""
        return self.restart_optimiser and step > 0 and step % (self.epochs * epoch_steps) == 0
