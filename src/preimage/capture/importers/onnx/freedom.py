"""Whether a network whose file fixed the batch size works on any batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preimage.capture.importers.onnx.operators.reduction import NUMBER_TYPES

TOLERANCE = 1e-3
"""Relative difference that rounding may make between batch sizes."""


def agree(network: nn.Module, original: nn.Module, inputs: Sequence[tuple[Any, int]], batch: int) -> bool:
    """Whether two batches at once give what the original gives for each alone.

    Args:
        network: written for any batch size.
        original: as the file has it.
        inputs: shape, and number type as in ``onnx.TensorProto``, of each input.
        batch: size of one batch.

    Cost:
        Four forward passes.
    """
    generator = torch.Generator().manual_seed(0)  # of its own: the user's random state is left alone
    first, second = ([_sample(shape, kind, generator) for shape, kind in inputs] for _ in range(2))
    both = [torch.cat(pair) for pair in zip(first, second, strict=True)]
    try:
        with torch.no_grad():
            wanted = [original(*values) for values in (first, second)]
            apart, together = network(*first), network(*both)
    except (RuntimeError, IndexError, ValueError, TypeError):
        return False
    halves = [_several(values) for values in wanted]
    pairs = [*zip(_several(together), map(_stacked, *halves), strict=True)]
    pairs += zip(_several(apart), halves[0], strict=True)
    return all(_close(found, right) for found, right in pairs)


def _sample(shape: Sequence[int], kind: int, generator: torch.Generator) -> Tensor:
    dtype = NUMBER_TYPES.get(kind, torch.float32)
    if dtype.is_floating_point:
        return torch.randn(tuple(shape), generator=generator).to(dtype)
    return torch.zeros(tuple(shape), dtype=dtype)


def _several(values: Any) -> tuple[Tensor, ...]:
    return values if isinstance(values, tuple) else (values,)


def _stacked(first: Tensor, second: Tensor) -> Tensor:
    return torch.cat([first, second]) if first.dim() else first


def _close(found: Tensor, wanted: Tensor) -> bool:
    if found.shape != wanted.shape:
        return False
    finite = wanted.double().nan_to_num(0.0, 0.0, 0.0)
    size = finite.abs().max().item() if finite.numel() else 0.0
    pair = found.double(), wanted.double()
    return torch.allclose(*pair, TOLERANCE, TOLERANCE * size, equal_nan=True)
