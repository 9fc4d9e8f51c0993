"""What is likely to be wrong with an estimate, as a covariance with a root."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

from torch import Tensor, nn


class Metric(nn.Module, ABC):
    """A positive definite matrix ``M = S S^T`` on inputs, given by products with S and its transpose."""

    @abstractmethod
    def root(self, u: Tensor) -> Tensor:
        """``S u`` for each sample, ``(N, *input)``."""

    @abstractmethod
    def root_transpose(self, x: Tensor) -> Tensor:
        """``S^T x`` for each sample, ``(N, *input)``."""

    def forward(self, x: Tensor) -> Tensor:
        """``M x`` for each sample."""
        return self.root(self.root_transpose(x))


@final
class Identity(Metric):
    """M = 1: every input value is equally likely to be wrong, and independently."""

    def root(self, u: Tensor) -> Tensor:
        """U itself."""
        return u

    def root_transpose(self, x: Tensor) -> Tensor:
        """X itself."""
        return x
