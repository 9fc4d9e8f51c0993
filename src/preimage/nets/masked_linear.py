"""A linear layer in which every unit knows what it may depend on."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.nets.turns import Turns, turns_of_sets


class MaskedLinear(nn.Module):
    r"""Linear layer with a mask, :math:`y = (W \odot M)\, x + b + (V \odot K)\, c`.

    Every unit has a set of inputs of the whole network on which it may depend, and unit u may feed unit v if
    and only if the set of u lies within the set of v.

    Reference: Germain, Gregor, Murray, Larochelle (2015), MADE, https://arxiv.org/abs/1502.03509

    Args:
        sources: the sets of the units that come in, bool ``(in_features, S)``.
        targets: the sets of the units that go out, bool ``(out_features, S)``.
        context: bool ``(out_features, C)``, which outputs see which of C context features; None for none.
        turn: for networks that are to be solved, the turn in which each feature is, int ``(D,)``; the first D
            columns of the sets are the features.

    Returns:
        Tensor ``(N, out_features)`` for an input ``(N, in_features)`` and a context ``(N, C)``.

    Cost: O(in_features * out_features) for every row, and once for the mask.

    Example:
        >>> first = torch.eye(2, dtype=torch.bool)
        >>> layer = MaskedLinear(first, torch.tensor([[False, False], [True, False]]))
        >>> layer.mask
        tensor([[False, False],
                [ True, False]])
    """

    mask: Tensor
    context_mask: Tensor

    def __init__(
        self, sources: Tensor, targets: Tensor, context: Tensor | None = None, turn: Tensor | None = None
    ) -> None:
        super().__init__()
        turn = torch.zeros(0, dtype=torch.long) if turn is None else turn
        count = 1 + int(turn.max()) if len(turn) else 1
        self.known = Turns(turns_of_sets(sources, turn), count)
        self.ready = Turns(turns_of_sets(targets, turn), count)
        self.in_features, self.out_features = len(sources), len(targets)
        outside = sources.float() @ (~targets).float().t()  # (in, out): how many inputs only u depends on
        self.register_buffer("mask", (outside == 0).t().contiguous(), persistent=False)
        weight = torch.empty(self.out_features, self.in_features)
        self.weight = nn.Parameter(weight, requires_grad=bool(self.mask.any()))
        self.bias = nn.Parameter(torch.empty(self.out_features))
        if context is not None:
            self.register_buffer("context_mask", context.clone(), persistent=False)
        self.context_weight = None if context is None else nn.Parameter(torch.empty(context.shape))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Uniform within one over the root of the number of connections that each unit really has."""
        connections = self.mask.sum(1)
        if self.context_weight is not None:
            connections = connections + self.context_mask.sum(1)
        bound = (1 / connections.clamp_min(1).sqrt())[:, None]  # (out, 1)
        self.weight.uniform_(-1, 1).mul_(math.sqrt(3) * bound)
        self.bias.uniform_(-1, 1).mul_(bound[:, 0])
        if self.context_weight is not None:
            self.context_weight.uniform_(-1, 1).mul_(math.sqrt(3) * bound)

    def start_at_zero(self) -> Self:
        """Set everything to zero, so that the layer returns 0; gives the layer back."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        return self

    def masked_weight(self) -> Tensor:
        """The weight as it is used, ``(out_features, in_features)``."""
        return self.weight * self.mask

    def offset(self, context: Tensor | None) -> Tensor:
        """What does not depend on x, ``(out_features,)`` or with a context ``(N, out_features)``."""
        if self.context_weight is None or context is None:
            return self.bias
        return functional.linear(context, self.context_weight * self.context_mask, self.bias)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Multiply and add."""
        if self.context_weight is None:
            return functional.linear(x, self.masked_weight(), self.bias)
        return functional.linear(x, self.masked_weight()) + self.offset(context)
