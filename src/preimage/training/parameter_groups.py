"""Parameters that learn at a rate of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters with a learning rate, and a weight decay, of their own.

    Args:
        names: pattern of their dotted names, as ``"*.base.*"``; ``*`` stands for anything. A parameter
            belongs to the first group whose pattern it fits.
        learning_rate: at the top of the schedule, positive.
        weight_decay: of AdamW; that of the run by default.

    Raises:
        ValueError: a number is out of range.

    Example:
        >>> ParameterGroup("*bias", learning_rate=1e-2).fits("layers.0.bias")
        True
    """

    names: str
    learning_rate: float
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        decay = 0.0 if self.weight_decay is None else self.weight_decay
        if not 0 < self.learning_rate < math.inf or not 0 <= decay < math.inf:
            raise ValueError(
                f"ParameterGroup: learning_rate is {self.learning_rate}, weight_decay {self.weight_decay};"
                " wanted a positive number, such as 1e-2, and 0 or more"
            )

    def fits(self, name: str) -> bool:
        """Whether a parameter of this name belongs to the group."""
        return fnmatchcase(name, self.names)


def grouped(
    model: nn.Module, groups: Sequence[ParameterGroup], learning_rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """The trainable parameters of a model as an optimiser takes them: every group, then all others.

    Args:
        model: the module that is trained.
        groups: with settings of their own.
        learning_rate: of all other parameters.
        weight_decay: of all other parameters, and of groups without one.

    Returns:
        A list of dictionaries with ``params``, ``lr``, ``top`` (the learning rate at the top of the schedule)
        and ``weight_decay``.

    Raises:
        ValueError: a pattern fits no parameter that is left.

    Example:
        >>> found = grouped(nn.Linear(2, 1), [ParameterGroup("bias", 0.1)], 0.01, 0.0)
        >>> [(group["top"], len(group["params"])) for group in found]
        [(0.1, 1), (0.01, 1)]
    """
    left = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    made = []
    for group in groups:
        own = [name for name in left if group.fits(name)]
        if not own:
            raise ValueError(
                f"fit: the group {group.names!r} fits no parameter, such as"
                f" {next(iter(left), 'none left')!r}; write a pattern of names, such as '*.base.*'"
            )
        decay = weight_decay if group.weight_decay is None else group.weight_decay
        made.append(_options([left.pop(name) for name in own], group.learning_rate, decay))
    return [*made, _options(list(left.values()), learning_rate, weight_decay)] if left else made


def _options(parameters: list[nn.Parameter], learning_rate: float, weight_decay: float) -> dict[str, Any]:
    return {"params": parameters, "lr": learning_rate, "top": learning_rate, "weight_decay": weight_decay}
