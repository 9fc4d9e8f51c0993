"""Arguments of an inverse, checked in one place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.capture.graph import Graph
from preimage.errors import NonFiniteError, ShapeError


def check_example(example: object) -> tuple[Tensor, ...]:
    """The example as a tuple of tensors with a common batch axis."""
    examples = example if isinstance(example, tuple) else (example,)
    for value in examples:
        if not isinstance(value, Tensor):
            raise ShapeError(
                f"the example is {type(value).__name__}; a tensor (N, ...) or a tuple of them was wanted"
            )
        if value.dim() == 0 or value.shape[0] == 0:
            raise ShapeError(
                f"the example has shape {tuple(value.shape)}; a batch of at least one was wanted"
            )
        if not value.is_floating_point():
            raise ShapeError(
                f"the example holds {value.dtype}; floating point was wanted. Indices have no neighbours to"
                " search among: invert the part of the network behind the embedding"
            )
    return tuple(value for value in examples if isinstance(value, Tensor))


def check_values(graph: Graph, model: nn.Module, values: dict[str, Tensor]) -> None:
    """Shape, dtype, device and finiteness of the values an inversion starts from.

    Raises:
        ShapeError: for a wrong shape, dtype, device or an empty batch.
        NonFiniteError: for NaN or infinity.
    """
    parameter = next((p for p in model.parameters() if p.is_floating_point()), None)
    for name, value in values.items():
        check_value(name, value, graph.shape(name), parameter)


def check_value(name: str, value: object, shape: tuple[int, ...], parameter: Tensor | None) -> None:
    """One tensor against the event shape and the network's own dtype and device."""
    wanted = ", ".join(("N", *map(str, shape)))
    if not isinstance(value, Tensor):
        raise ShapeError(f"{name}: got {type(value).__name__}; a tensor ({wanted}) was wanted")
    if tuple(value.shape[1:]) != shape or value.dim() != len(shape) + 1:
        raise ShapeError(f"{name}: got shape {tuple(value.shape)}; ({wanted}) was wanted")
    if value.shape[0] == 0:
        raise ShapeError(f"{name}: got an empty batch; at least one sample was wanted")
    if not value.is_floating_point():
        raise ShapeError(f"{name}: got {value.dtype}; floating point was wanted: write y.float()")
    if parameter is not None and value.dtype != parameter.dtype:
        raise ShapeError(
            f"{name}: got {value.dtype}, but the network computes in {parameter.dtype}:"
            f" write y.to({parameter.dtype}) or model.double()"
        )
    if parameter is not None and value.device != parameter.device:
        raise ShapeError(f"{name}: got a tensor on {value.device}; the network is on {parameter.device}")
    if not bool(torch.isfinite(value).all()):
        bad = int((~torch.isfinite(value)).flatten(1).any(1).sum())
        raise NonFiniteError(
            f"{name}: NaN or infinity in {bad} of {value.shape[0]} samples; finite numbers were wanted"
        )
