"""In which norms the layers of a contraction are measured."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.functional.matrices.operator_bound import (
    convolution_bound,
    induced_bound,
    induced_convolution_bound,
    spectral_bound,
)


class OperatorNorms(nn.Module, abc.ABC):
    """A norm for each layer of a network, such that the norms of its input and its output are the same.

    Example:
        >>> isinstance(SpectralNorms(), OperatorNorms)
        True
    """

    @abc.abstractmethod
    def matrix(self, weight: Tensor, index: int, layers: int) -> Tensor:
        """An upper bound of the norm of a matrix ``(out, in)``, layer ``index`` of so many; ``()``."""

    @abc.abstractmethod
    def convolution(self, kernel: Tensor, index: int, layers: int) -> Tensor:
        """The same for a convolution ``(out, in, *taps)`` that keeps the size."""


class SpectralNorms(OperatorNorms):
    r"""Euclidean norms, the largest singular values; upper bounds by iterated squaring.

    See :func:`~preimage.functional.matrices.operator_bound.spectral_bound` and
    :func:`~preimage.functional.matrices.operator_bound.convolution_bound`. A bound a few percent above the
    truth makes a network a little smaller than it might be, and never anything but a contraction; power
    iteration, a lower bound, would be wrong on the other side.

    Reference: Delattre, Barthélemy, Araujo, Allauzen (2023), https://arxiv.org/abs/2305.16173

    Cost: 7 products of matrices for a linear layer.

    Example:
        >>> SpectralNorms().matrix(2 * torch.eye(3), 0, 1)
        tensor(2.0086)
    """

    def matrix(self, weight: Tensor, index: int, layers: int) -> Tensor:
        """The largest singular value."""
        return spectral_bound(weight)

    def convolution(self, kernel: Tensor, index: int, layers: int) -> Tensor:
        """The largest singular value over all frequencies."""
        return convolution_bound(kernel)


class InducedNorms(OperatorNorms):
    r"""Induced mixed norms :math:`\|W\|_{p \to q}` with learnt orders, shared where two layers meet.

    The network as a whole is measured in one norm, that of its input. For activations that act on single
    numbers. Upper bounds by interpolation: looser than the spectral norm at p = 2, exact at 1 and infinity.

    Reference: Chen, Behrmann, Duvenaud, Jacobsen (2019), Residual flows, section 3.3,
    https://arxiv.org/abs/1906.02735

    Args:
        orders: the orders at the start, above 1: that of input and output, then those between the layers. One
            number for all of a convolutional network, whose order is the same everywhere.

    Raises:
        ValueError: an order is not above 1.

    Cost: O(weights).

    Example:
        >>> norms = InducedNorms([2.0, 4.0])
        >>> norms.matrix(torch.eye(3), 0, 2).item() <= 1.0001
        True
    """

    def __init__(self, orders: Sequence[float] = (2.0,)) -> None:
        super().__init__()
        if not orders or min(orders) <= 1:
            raise ValueError(
                f"InducedNorms: orders are {list(orders)}, wanted numbers above 1, such as [2.0]"
            )
        self.raw_orders = nn.Parameter(torch.tensor(orders).sub(1).expm1().log())

    def order(self, index: int) -> Tensor:
        """The order before layer ``index``, and after the last one that at the start, as a tensor ``()``."""
        return 1 + functional.softplus(self.raw_orders[index % len(self.raw_orders)])

    def matrix(self, weight: Tensor, index: int, layers: int) -> Tensor:
        """From the order before the layer to that behind it."""
        return induced_bound(weight, self.order(index), self.order((index + 1) % layers))

    def convolution(self, kernel: Tensor, index: int, layers: int) -> Tensor:
        """In the first order."""
        return induced_convolution_bound(kernel, self.order(0))
