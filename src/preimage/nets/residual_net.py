"""Residual network for vectors, with a context in every block."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from preimage.nets.zero_last_layer import zero_last_layer


class ResidualNet(nn.Module):
    r"""Residual network for vectors, :math:`h_{l+1} = h_l + B_l\, \phi(A_l\, \phi(h_l) + C_l c)`.

    Reference: He, Zhang, Ren, Sun (2016), Identity mappings in deep residual networks,
    https://arxiv.org/abs/1603.05027

    Args:
        features: number of inputs.
        outputs: number of outputs.
        hidden_features: width of every block.
        blocks: number of blocks.
        context: size of the context c, which enters every block; 0 for none.
        activation: class of the activation.

    Returns:
        Tensor ``(N, outputs)`` for an input ``(N, features)``; zeros before training.

    Cost: O(N * blocks * hidden_features^2).

    Example:
        >>> import torch
        >>> ResidualNet(2, 4, context=3)(torch.randn(5, 2), torch.randn(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        hidden_features: int = 64,
        blocks: int = 2,
        *,
        context: int = 0,
        activation: type[nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        self.first = nn.Linear(features, hidden_features)
        self.blocks = nn.ModuleList(
            _ResidualBlock(hidden_features, context, activation) for _ in range(blocks)
        )
        self.last = zero_last_layer(nn.Linear(hidden_features, outputs))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Run all blocks on x, with the context in each."""
        hidden = self.first(x)  # (N, hidden)
        for block in self.blocks:
            hidden = hidden + block(hidden, context)
        return cast(Tensor, self.last(hidden))


class _ResidualBlock(nn.Module):
    """What one block of a :class:`ResidualNet` adds."""

    def __init__(self, features: int, context: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.activation = activation()
        self.inner, self.outer = nn.Linear(features, features), nn.Linear(features, features)
        self.context = nn.Linear(context, features, bias=False) if context else None

    def forward(self, hidden: Tensor, context: Tensor | None) -> Tensor:
        inner = self.inner(self.activation(hidden))
        if self.context is not None:
            inner = inner + self.context(context)
        return cast(Tensor, self.outer(self.activation(inner)))
