"""The contract of a loss of a generative classifier."""

from __future__ import annotations

import abc
import math
from typing import Any

from torch import Tensor

from preimage.classify.evidence import Evidence


class ClassifierLoss(abc.ABC):
    """One number for every row, from what the classifier says about it.

    A subclass writes :meth:`rows`; rows of label -1 have no class and count by their marginal density.

    Example:
        >>> import torch
        >>> class Half(ClassifierLoss):
        ...     def rows(self, evidence: Evidence) -> torch.Tensor:
        ...         return 0.5 * evidence.cross_entropy()
        >>> rows = Evidence(torch.zeros(1, 2), torch.zeros(2), torch.ones(()), torch.tensor([0]), 1)
        >>> Half().rows(rows)
        tensor([0.3466])
    """

    @abc.abstractmethod
    def rows(self, evidence: Evidence) -> Tensor:
        """The losses of the rows of a batch ``(N,)``."""

    def disturbed(self, x: Any) -> Any:
        """The input of the bijection while training; as it is unless a loss adds noise."""
        return x


def check_smoothing(where: str, smoothing: float) -> None:
    """Refuse label smoothing outside [0, 1)."""
    if not 0 <= smoothing < 1:
        raise ValueError(f"{where}: smoothing is {smoothing}, wanted a number in [0, 1), such as 0.05")


def check_weight(where: str, word: str, weight: float) -> None:
    """Refuse a weight that is negative or not a number."""
    if not 0 <= weight < math.inf:
        raise ValueError(f"{where}: {word} is {weight}, wanted a number of 0 or more")
