"""Replacements for normalisations that forget their statistics."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from torch import nn

from preimage.errors import NotInvertibleError
from preimage.layers import EstimatedNorm, GroupNorm, LayerNorm, RMSNorm


@functools.singledispatch
def norm_replacement(module: nn.Module, event: Sequence[int]) -> EstimatedNorm:
    """A normalisation whose inverse estimates the statistics that were removed.

    Call ``fit(x)`` with values before the norm. Whatever the estimate, normalising again gives y. For
    log(W x + b) norms see :class:`preimage.layers.LogNorm`, which is a bijection; for batch norm,
    :class:`preimage.layers.BatchNorm`.

    Reference: Ba, Kiros, Hinton (2016), Layer normalization, https://arxiv.org/abs/1607.06450

    Args:
        module: ``nn.LayerNorm``, ``nn.GroupNorm`` or ``nn.RMSNorm``; parameters are shared.
        event: event shape of its input.

    Returns:
        The replacement, which says mean 0 and scale 1 until it is fitted.

    Raises:
        NotInvertibleError: the module is none of these.

    Cost: none.

    Example:
        >>> import torch
        >>> replacement = norm_replacement(nn.LayerNorm(4), (4,))
        >>> error = replacement.fit(3 + torch.randn(200, 4))
        >>> replacement.inverse(torch.zeros(1, 4)).mean().round().item()
        3.0
    """
    raise NotInvertibleError(
        f"norm_replacement: {type(module).__name__} is no norm over a sample; wanted LayerNorm, GroupNorm or"
        " RMSNorm"
    )


@norm_replacement.register
def _(module: nn.LayerNorm, event: Sequence[int]) -> EstimatedNorm:
    return EstimatedNorm(LayerNorm.from_layer_norm(module), event)


@norm_replacement.register
def _(module: nn.GroupNorm, event: Sequence[int]) -> EstimatedNorm:
    return EstimatedNorm(GroupNorm.from_group_norm(module), event)


@norm_replacement.register
def _(module: nn.RMSNorm, event: Sequence[int]) -> EstimatedNorm:
    return EstimatedNorm(RMSNorm.from_rms_norm(module), event)
