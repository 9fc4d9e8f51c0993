"""The masked multilayer perceptron of MADE."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from preimage.nets.masked_net import Activation, Linear, MaskedNet


class MaskedMLP(MaskedNet):
    r"""Masked multilayer perceptron, :math:`h_{l+1} = \phi((W_l \odot M_l)\, h_l + b_l)`.

    The masks cut every path from a feature to the parameters of those that may not depend on it.

    Reference: Germain, Gregor, Murray, Larochelle (2015), MADE, https://arxiv.org/abs/1502.03509

    Args:
        event_shape: number of features, or shape of the event, whose features are counted in raster order.
        count: number of parameters of each feature, ``element_map.count``.
        hidden_features: widths of the hidden layers.
        order: the rank of each feature; a feature depends on those of smaller rank. As they stand by default.
        passes: number of groups of features that are solved together; as many as features by default, 2 for a
            coupling.
        adjacency: bool ``(D, D)`` or ``(D, D + context)``, which feature (row) may depend on which (column),
            instead of order and passes; the diagonal does not count.
        context: size of the context, which every feature may see; 0 for none.
        activation: class of the activation between layers; it must act on each unit by itself.

    Returns:
        Tensor ``(N, *event_shape, count)`` for an input ``(N, *event_shape)``; zeros before training.

    Raises:
        ValueError: the order is no permutation, or the adjacency has a circle or another shape.

    Cost: O(N * sum of products of neighbouring sizes), for solving as well.

    Example:
        >>> import torch
        >>> net = MaskedMLP(3, count=2, hidden_features=(8, 8), context=4)
        >>> net(torch.randn(5, 3), torch.randn(5, 4)).shape
        torch.Size([5, 3, 2])
    """

    def __init__(
        self,
        event_shape: int | Sequence[int],
        count: int,
        hidden_features: Sequence[int] = (64, 64),
        *,
        order: Tensor | Sequence[int] | None = None,
        passes: int | None = None,
        adjacency: Tensor | None = None,
        context: int = 0,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__(
            event_shape,
            count,
            hidden_features,
            activation,
            order=order,
            passes=passes,
            adjacency=adjacency,
            context=context,
        )
        last = len(self.sets) - 1
        self.hidden = nn.ModuleList(self.connect(place, place + 1) for place in range(last - 1))
        self.last = self.connect(last - 1, last).start_at_zero()

    def compute(self, linear: Linear, activation: Activation, x: Tensor) -> Tensor:
        """One layer after the other."""
        *hidden, last = self.linears
        for layer in hidden:
            x = activation(linear(layer, x))
        return linear(last, x)
