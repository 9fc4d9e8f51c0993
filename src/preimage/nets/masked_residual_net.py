"""The masked residual network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from preimage.nets.masked_net import Activation, Linear, MaskedNet


class MaskedResidualNet(MaskedNet):
    r"""Masked residual network, :math:`h_{l+1} = h_l + B_l\, \phi(A_l\, \phi(h_l))` with masked A and B.

    All layers have one width and one assignment of units to sets of features, so that a unit and what is
    added to it may depend on the same.

    Reference: Germain, Gregor, Murray, Larochelle (2015), MADE, https://arxiv.org/abs/1502.03509; residual as
    in Nash, Durkan (2019), Autoregressive energy machines, https://arxiv.org/abs/1904.05626

    Args:
        event_shape: number of features, or shape of the event, whose features are counted in raster order.
        count: number of parameters of each feature, ``element_map.count``.
        hidden_features: width of every block.
        blocks: number of blocks.
        order: the rank of each feature; a feature depends on those of smaller rank. As they stand by default.
        passes: number of groups of features that are solved together; as many as features by default.
        adjacency: bool ``(D, D)`` or ``(D, D + context)``, which feature (row) may depend on which (column),
            instead of order and passes; the diagonal does not count.
        context: size of the context, which every feature may see; 0 for none.
        activation: class of the activation; it must act on each unit by itself.

    Returns:
        Tensor ``(N, *event_shape, count)`` for an input ``(N, *event_shape)``; zeros before training.

    Raises:
        ValueError: the order is no permutation, or the adjacency has a circle or another shape.

    Cost: O(N * blocks * hidden_features^2), for solving as well.

    Example:
        >>> import torch
        >>> net = MaskedResidualNet((2, 3), count=2, hidden_features=8)
        >>> net(torch.randn(5, 2, 3)).shape
        torch.Size([5, 2, 3, 2])
    """

    def __init__(
        self,
        event_shape: int | Sequence[int],
        count: int,
        hidden_features: int = 64,
        blocks: int = 2,
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
            (hidden_features,),
            activation,
            order=order,
            passes=passes,
            adjacency=adjacency,
            context=context,
        )
        self.first, self.last = self.connect(0, 1), self.connect(1, 2).start_at_zero()
        self.blocks = nn.ModuleList(self.connect(1, 1) for _ in range(2 * blocks))

    def compute(self, linear: Linear, activation: Activation, x: Tensor) -> Tensor:
        """The first layer, every block added to what was before, and the last layer."""
        first, last, *blocks = self.linears
        hidden = linear(first, x)
        for inner, outer in zip(blocks[::2], blocks[1::2], strict=True):
            hidden = hidden + linear(outer, activation(linear(inner, activation(hidden))))
        return linear(last, hidden)
