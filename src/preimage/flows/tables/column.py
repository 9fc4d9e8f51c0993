"""The contract of a column: how its values become real numbers, and back."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn


class Column(nn.Module, abc.ABC):
    r"""One column of a table as ``width`` real numbers a row, with what that adds to the log-density.

    ``lift`` is random where values are discrete; then :math:`\mathbb E[\log p(y) + w]` bounds the
    log-probability of the value from below.

    Args:
        name: of the column.
        width: real numbers a value.
    """

    exact: ClassVar[bool] = True
    """Whether ``lift`` draws nothing."""

    def __init__(self, name: str, width: int = 1) -> None:
        super().__init__()
        self.name, self.width = name, width

    @abc.abstractmethod
    def lift(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Real numbers ``(N, width)`` and their log-weights ``(N,)``, for codes ``(N,)``."""

    @abc.abstractmethod
    def lower(self, y: Tensor) -> Tensor:
        """The codes ``(N,)`` of real numbers ``(N, width)``."""

    @property
    def conditions(self) -> int:
        """How many numbers :meth:`condition` gives for a value."""
        return 1

    def condition(self, code: Tensor) -> Tensor:
        """Numbers ``(N, conditions)`` that tell a network the value of codes ``(N,)``; nothing is drawn."""
        return code[:, None]

    @abc.abstractmethod
    def encode(self, values: np.ndarray) -> np.ndarray:
        """Codes, float64 ``(N,)``, for values as the user has them; refuses values that it does not know."""

    @abc.abstractmethod
    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Values as the user has them, for codes."""

    @abc.abstractmethod
    def plain(self) -> dict[str, Any]:
        """The arguments that make this column again, as JSON can hold them, without its name."""
