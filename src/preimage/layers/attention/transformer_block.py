"""One block of a transformer, with its attention left open: full, causal, or over remembered tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.layers.attention.attend import Attend, attend_to_all


class TransformerBlock(nn.Module):
    r"""Attention, then a two-layer network, each added to its input and normalised before.

    .. math:: u = h + W_o \operatorname{attend}(q, k, v), \qquad
        h' = u + W_2 \operatorname{gelu}(W_1 \operatorname{norm}(u))

    with :math:`q, k, v` linear in :math:`\operatorname{norm}(h)`. Keys and values have no bias: attention
    ignores the one, and the bias of :math:`W_o` holds the other.

    Reference: Vaswani et al. (2017), Attention is all you need, https://arxiv.org/abs/1706.03762; with the
    normalisation first: Xiong et al. (2020), https://arxiv.org/abs/2002.04745

    Args:
        width: size of a token, a multiple of ``heads``.
        heads: number of heads.
        expansion: width of the two-layer network, in widths of a token.

    Returns:
        Tensor ``(N, L, width)`` for tokens of this shape.

    Raises:
        ValueError: the width is not a multiple of the number of heads.

    Cost: O(N L width (width + L)).

    Example:
        >>> import torch
        >>> TransformerBlock(8, heads=2)(torch.randn(3, 5, 8)).shape
        torch.Size([3, 5, 8])
    """

    def __init__(self, width: int, heads: int, expansion: int = 4) -> None:
        super().__init__()
        if heads < 1 or width < 1 or width % heads:
            raise ValueError(
                f"TransformerBlock: width is {width} and heads is {heads}, wanted a width that is a multiple"
                " of the number of heads, such as width=64, heads=4"
            )
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.query_bias = nn.Parameter(torch.zeros(heads, 1, width // heads))
        self.output = nn.Linear(width, width)
        self.feedforward_norm = nn.LayerNorm(width)
        self.feedforward = nn.Sequential(
            nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width)
        )

    def forward(self, tokens: Tensor, attend: Attend = attend_to_all) -> Tensor:
        """Run both halves; every token sees every other one unless ``attend`` says otherwise."""
        parts = self.queries_keys_values(self.attention_norm(tokens))  # (N, L, 3 * width)
        queries, keys, values = parts.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        seen = attend(queries + self.query_bias, keys, values)  # (N, heads, L, width / heads)
        tokens = tokens + self.output(seen.transpose(1, 2).flatten(2))
        return tokens + self.feedforward(self.feedforward_norm(tokens))
