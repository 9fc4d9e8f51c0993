"""In which turn the units of a network become known while it is undone."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def turns_of_sets(sets: Tensor, turn: Tensor) -> Tensor:
    """The turn in which each unit can be computed: one after the last of the features that it depends on.

    Args:
        sets: bool ``(units, S)``, S >= D; the first D columns are features, the others known from the start.
        turn: the turn in which each feature is solved, int ``(D,)``.

    Returns:
        int ``(units,)``, 0 for units that depend on no feature.

    Example:
        >>> turns_of_sets(torch.tensor([[True, True], [False, False]]), torch.tensor([0, 1]))
        tensor([2, 0])
    """
    start = torch.zeros(len(sets), 1, dtype=torch.long)
    return torch.cat([start, torch.where(sets[:, : len(turn)], turn + 1, 0)], dim=1).amax(1)


class Turns(nn.Module):
    """Units sorted by the turn in which they become known.

    Args:
        turn: the turn of each unit, int ``(units,)``.
        count: the number of turns; units with a later turn are never needed and left out.

    Example:
        >>> turns = Turns(torch.tensor([1, 0, 1]), count=2)
        >>> turns.order, turns.sizes, turns.ends
        (tensor([1, 0, 2]), [1, 2], [1, 3])
    """

    order: Tensor

    def __init__(self, turn: Tensor, count: int) -> None:
        super().__init__()
        order = turn.sort(stable=True).indices
        self.register_buffer("order", order[: int((turn < count).sum())], persistent=False)
        self.sizes: list[int] = turn.bincount(minlength=count)[:count].tolist()
        """How many units each turn adds."""
        self.ends: list[int] = torch.tensor(self.sizes).cumsum(0).tolist()
        """How many units are known in each turn."""
