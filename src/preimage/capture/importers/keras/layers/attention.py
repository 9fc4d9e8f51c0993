"""Attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.capture.importers.keras.place import Laid, Place, layer, tensor_of
from preimage.capture.importers.layers import filled


@layer("MultiHeadAttention")
def multi_head(place: Place) -> Laid:
    """Projections, scaled dot products and one more projection."""
    names = ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask")
    given = dict(zip(names, place.args, strict=False)) | dict(place.kwargs)
    special = ("query_mask", "value_mask", "key_mask", "attention_mask")
    if any(given.get(name) is not None for name in special) or given.get("use_causal_mask"):
        place.refuse("a mask")
    if given.get("return_attention_scores"):
        place.refuse("it also returns its scores")
    query, value = given["query"], given["value"]
    key = given["key"] if isinstance(given.get("key"), Laid) else value
    if query.rank != 3:
        place.refuse(f"{query.rank} axes; (N, tokens, features) was wanted")
    heads = place.config["num_heads"]
    q, k, v = (_projected(place, name, x) for name, x in (("query", query), ("key", key), ("value", value)))
    mixed = place.call(attend, q, k, v, heads)
    return Laid(place.module(lambda: _last(place), mixed, part="output"), 3)


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Scaled dot products of each head, ``(N, tokens, heads * width)``."""
    q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))  # (N, heads, tokens, width)
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _projected(place: Place, name: str, x: Laid) -> object:
    dense = getattr(place.layer, f"_{name}_dense")

    def make() -> nn.Module:
        kernel = tensor_of(dense.kernel)  # (in, heads, width)
        bias = None if dense.bias is None else tensor_of(dense.bias).flatten()
        weight = kernel.flatten(1).T
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
        return filled(linear, weight=weight, bias=bias)

    return place.module(make, place.as_seen(x), part=name)


def _last(place: Place) -> nn.Module:
    dense = place.layer._output_dense
    kernel = tensor_of(dense.kernel)  # (heads, width, out)
    bias = None if dense.bias is None else tensor_of(dense.bias)
    weight = torch.flatten(kernel, 0, 1).T
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return filled(linear, weight=weight, bias=bias)
