"""Operations whose fast kernels cannot be differentiated twice, replaced where derivatives are recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def attention(query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Scaled dot-product attention; the plain formula while gradients are recorded.

    Solvers take products with the Jacobian by differentiating a backward pass, which fused kernels do not
    support.
    """
    attend = torch.ops.aten.scaled_dot_product_attention.default
    if not torch.is_grad_enabled():
        return attend(query, key, value, *args, **kwargs)
    names = ("attn_mask", "dropout_p", "is_causal")
    options = dict(zip(names, args, strict=False)) | kwargs
    plain = torch.ops.aten._scaled_dot_product_attention_math.default
    return plain(query, key, value, **options)[0]


def hardsigmoid(x: Tensor) -> Tensor:
    """min(max(x / 6 + 1/2, 0), 1), whose own backward pass cannot be differentiated."""
    if not torch.is_grad_enabled():
        return torch.nn.functional.hardsigmoid(x)
    return (x / 6 + 0.5).clamp(0, 1)


def copy(target: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    """The source in the shape and format of the target, whose numbers do not matter."""
    return source.to(target, non_blocking=non_blocking).expand_as(target)


REPLACED: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": attention,
    "hardsigmoid": hardsigmoid,
    "copy": copy,
}
"""ATen name -> function that computes the same."""
