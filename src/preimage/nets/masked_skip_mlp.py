"""A masked multilayer perceptron whose layers of one width are added up."""

from __future__ import annotations

from typing import final

from torch import Tensor

from preimage.nets.masked_mlp import MaskedMLP
from preimage.nets.masked_net import Activation, Linear


@final
class MaskedSkipMLP(MaskedMLP):
    r"""Masked multilayer perceptron with a way around, :math:`h_{l+1} = h_l + (W_l \odot M_l)\, \phi(h_l)`.

    The last layer is linear in the sum, so a linear dependence needs no hidden unit to bend; that is learnt
    first, as in a residual network, at the size and price of a perceptron. Where two neighbouring widths
    differ, and with one hidden layer, it is :class:`~preimage.nets.MaskedMLP`.

    Reference: Germain, Gregor, Murray, Larochelle (2015), MADE, https://arxiv.org/abs/1502.03509; He, Zhang,
    Ren, Sun (2016), Identity mappings in deep residual networks, https://arxiv.org/abs/1603.05027

    Args:
        event_shape, count, hidden_features, order, passes, adjacency, context, activation: as for
            :class:`~preimage.nets.MaskedMLP`.

    Returns:
        Tensor ``(N, *event_shape, count)`` for an input ``(N, *event_shape)``; zeros before training.

    Raises:
        ValueError: the order is no permutation, or the adjacency has a circle or another shape.

    Cost: O(N * sum of products of neighbouring sizes), for solving as well.

    Example:
        >>> import torch
        >>> net = MaskedSkipMLP(3, count=2, hidden_features=(8, 8), context=4)
        >>> net(torch.randn(5, 3), torch.randn(5, 4)).shape
        torch.Size([5, 3, 2])
    """

    def compute(self, linear: Linear, activation: Activation, x: Tensor) -> Tensor:
        """One layer after the other, each added to what came before it."""
        *hidden, last = self.linears
        added = True  # nothing to bend yet
        for number, layer in enumerate(hidden):
            step = linear(layer, activation(x) if number else x)
            # Units of equal widths depend on the same features, so that they may be added.
            added = number > 0 and layer.in_features == layer.out_features
            x = x + step if added else step
        return linear(last, x if added else activation(x))
