"""A vision transformer as a conditioner."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.layers.attention.transformer_block import TransformerBlock
from preimage.nets import zero_last_layer


class TransformerNet(nn.Module):
    r"""Transformer over positions: every position of a picture is a token, and sees all others.

    A linear map of the channels, a learnt embedding of the position (and of the context) added to it, blocks
    of attention, a normalisation and a linear map that starts at zero.

    Reference: Dosovitskiy et al. (2021), An image is worth 16 x 16 words, https://arxiv.org/abs/2010.11929;
    as the network of a coupling: Kolesnikov, Pinto, Tschannen (2024), Jet, https://arxiv.org/abs/2412.15129

    Args:
        channels: number of input channels.
        outputs: number of output channels.
        positions: sizes of the dimensions of space, such as ``(8, 8)``, or ``(16,)`` for a sequence.
        width: size of a token.
        depth: number of blocks.
        heads: number of heads.
        context: size of a context vector ``(N, context)``, which is added to every token; 0 for none.

    Returns:
        Tensor ``(N, outputs, *positions)`` for an input ``(N, channels, *positions)``; zeros before training.

    Raises:
        ValueError: the width is not a multiple of the number of heads, or a size is not positive.

    Cost: O(N T width (width + T) depth) for T positions.

    Example:
        >>> import torch
        >>> net = TransformerNet(3, 6, (4, 4), width=16, depth=2, heads=2)
        >>> net(torch.randn(5, 3, 4, 4)).shape
        torch.Size([5, 6, 4, 4])
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        positions: Sequence[int],
        width: int = 256,
        depth: int = 1,
        heads: int = 4,
        context: int = 0,
    ) -> None:
        super().__init__()
        self.positions = tuple(positions)
        if not self.positions or min(self.positions) < 1:
            raise ValueError(f"TransformerNet: positions are {self.positions}, wanted sizes such as (8, 8)")
        self.embed = nn.Linear(channels, width)
        self.place = nn.Parameter(torch.randn(math.prod(self.positions), width) / math.sqrt(width))
        self.embed_context = nn.Linear(context, width, bias=False) if context else None
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.project = zero_last_layer(nn.Linear(width, outputs))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Positions to tokens, the blocks, and back."""
        tokens = self.embed(x.flatten(2).mT) + self.place  # (N, T, width)
        if self.embed_context is not None and context is not None:
            tokens = tokens + self.embed_context(context)[:, None]
        for block in self.blocks:
            tokens = block(tokens)
        return self.project(self.norm(tokens)).mT.unflatten(2, self.positions)
