"""What surjections from categories share: codes of whole numbers, with numbers drawn for each."""

from __future__ import annotations

import abc
from typing import final

import torch
from torch import Tensor

from preimage.checks import reference_tensor, values_are_visible
from preimage.errors import DomainError, ShapeError
from preimage.layers.surjection.noise import Noise
from preimage.layers.surjection.surjection import Likelihood, Surjection, check_channels


def check_categories(where: str, x: Tensor, count: int) -> None:
    """Refuse what does not hold whole numbers from 0 to ``count - 1``."""
    if not isinstance(x, Tensor) or x.is_floating_point() or x.dtype == torch.bool:
        came = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ShapeError(f"{where}: x holds {came}, wanted whole numbers; write x.long()")
    if values_are_visible() and ((x < 0) | (x >= count)).any():
        raise DomainError(f"{where}: x must lie between 0 and {count - 1}, got {x.min()} to {x.max()}")


def dtype_of(noise: Noise) -> torch.dtype:
    """The dtype in which a noise draws."""
    like = reference_tensor(noise)
    return torch.get_default_dtype() if like is None else like.dtype


class CategorySurjection(Surjection, abc.ABC):
    """Categories as codes, one number drawn for each digit of the code.

    Args:
        noise: the distribution that is drawn from, one channel a digit; its conditioner sees the code.
    """

    def __init__(self, noise: Noise) -> None:
        super().__init__()
        self.noise = noise

    @property
    def likelihood(self) -> Likelihood:
        """Forward draws."""
        return "bound"

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """How many categories there are."""

    @abc.abstractmethod
    def code(self, x: Tensor) -> Tensor:
        """Whole numbers ``(N, ...)`` as codes ``(N, digits, ...)``."""

    @abc.abstractmethod
    def draw(self, code: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Numbers from which the code can be read, and their log-density given the code ``(N,)``."""

    @abc.abstractmethod
    def read(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The whole numbers, and the log-density of y given their code ``(N,)``."""

    @final
    def forward_and_log_weight(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw numbers for the code."""
        check_categories(f"{type(self).__name__}.forward_and_log_weight", x, self.count)
        y, log_prob = self.draw(self.code(x).to(dtype_of(self.noise)), generator)
        return y, -log_prob

    @final
    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read the code."""
        check_channels(
            f"{type(self).__name__}.inverse_and_log_weight", "y", y, self.noise.channels, self.noise
        )
        return self.read(y)
