"""Attention over all tokens, and over earlier ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from preimage.functional.visible import values_are_visible

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Takes queries, keys and values ``(N, heads, L, d)``; gives ``(N, heads, L, d)``."""


def attend_to_all(queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None = None) -> Tensor:
    r"""Attention, :math:`\operatorname{softmax}(q k^T / \sqrt d)\, v`.

    Reference: Vaswani et al. (2017), Attention is all you need, https://arxiv.org/abs/1706.03762

    Args:
        queries: ``(N, heads, L, d)``.
        keys, values: ``(N, heads, S, d)``.
        allowed: which keys a query may see, bool ``(L, S)``; None for all.

    Returns:
        Tensor ``(N, heads, L, d)``.

    Example:
        >>> one = torch.ones(1, 1, 1, 2)
        >>> attend_to_all(one, torch.cat([one, one], 2), torch.cat([one, 3 * one], 2))
        tensor([[[[2., 2.]]]])
    """
    if values_are_visible() or torch.compiler.is_compiling():
        return scaled_dot_product_attention(queries, keys, values, attn_mask=allowed)
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])  # torch.func has no rule for the fused kernel
    if allowed is not None:
        scores = torch.where(allowed, scores, -math.inf)
    return scores.softmax(-1) @ values


def attend_to_earlier(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Causal attention; where there are more keys than queries, the queries belong to the last keys.

    A token whose key or value is not finite does not reach the tokens before it, see :func:`harmless`.

    Args:
        queries: ``(N, heads, L, d)``.
        keys, values: ``(N, heads, S, d)`` with S >= L.

    Returns:
        Tensor ``(N, heads, L, d)``.

    Example:
        >>> one = torch.ones(1, 1, 1, 1)
        >>> same = torch.cat([one, one], 2)
        >>> attend_to_earlier(same, same, torch.cat([one, 3 * one], 2))
        tensor([[[[1.],
                  [2.]]]])
    """
    length, seen = queries.shape[-2], keys.shape[-2]
    if length == 1:
        return attend_to_all(queries, keys, values)
    allowed = torch.ones(length, seen, dtype=torch.bool, device=queries.device).tril(seen - length)
    return attend_to_all(queries, harmless(keys), harmless(values), allowed)


def harmless(tokens: Tensor) -> Tensor:
    """Zeros in place of what is not finite: a weight of 0 times infinity would be NaN, for earlier tokens.

    The token itself stays what it is, so that the parameters made from it are still not finite.

    Args:
        tokens: any tensor.

    Returns:
        Tensor of this shape.

    Example:
        >>> harmless(torch.tensor([1.0, torch.nan]))
        tensor([1., 0.])
    """
    return torch.where(tokens.isfinite(), tokens, torch.zeros_like(tokens))
