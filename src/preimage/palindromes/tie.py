"""How the second half of a palindrome gets its weights from the first."""

from __future__ import annotations

import abc
from collections.abc import Sequence

from torch import nn

from preimage.palindromes.mirror import Mirror

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


class Tie(abc.ABC):
    """Makes the mirror image of layers with weights; layers without weights need no choice.

    Example:
        >>> from preimage.palindromes import PseudoInverse
        >>> issubclass(PseudoInverse, Tie)
        True
    """

    @abc.abstractmethod
    def dense(self, linear: nn.Linear) -> Mirror:
        """The mirror of a dense layer."""

    @abc.abstractmethod
    def convolution(self, convolution: Convolution, input_shape: Sequence[int]) -> Mirror:
        """The mirror of a convolution that reads events of this shape ``(C, ...)``."""
