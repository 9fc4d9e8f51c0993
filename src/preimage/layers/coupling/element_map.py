"""Elementwise maps whose parameters are computed by a network."""

from __future__ import annotations

import abc

from torch import Tensor, nn


class ElementMap(nn.Module, abc.ABC):
    """A monotone map of single numbers with ``count`` parameters each, computed elsewhere.

    What couplings and autoregressive layers apply. The parameters are raw: any real number must give a valid
    map, and zeros should give (nearly) the identity.

    Args:
        count: number of parameters per element.

    Example:
        >>> from preimage.layers import AffineMap
        >>> AffineMap().count
        2
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    @abc.abstractmethod
    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Map x.

        Args:
            x: elements, of any shape ``(...)``.
            raw: their parameters ``(..., count)``, with size 1 where elements share them.

        Returns:
            y and log abs dy/dx, both of the shape of x.
        """

    @abc.abstractmethod
    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Map y back; x and log abs dx/dy, both of the shape of y."""
