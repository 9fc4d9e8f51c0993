"""Arguments of an inverse, checked in one place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.capture.graph import Graph
from preimage.capture.layout import Layout
from preimage.errors import NonFiniteError, ShapeError

Sizes = tuple[int | str, ...]
"""A shape in which the axis of the samples has a word instead of a number."""


def check_example(example: object) -> tuple[Tensor, ...]:
    """The example as a tuple of tensors with a common batch axis."""
    examples = example if isinstance(example, tuple) else (example,)
    for value in examples:
        if not isinstance(value, Tensor):
            raise ShapeError(
                f"the example is of type {type(value).__name__}; a tensor (N, ...), or for a network of"
                " several inputs a tuple of them, was wanted: for an array write torch.as_tensor(array)"
            )
        if value.dim() == 0 or value.shape[0] == 0:
            raise ShapeError(
                f"the example has shape {tuple(value.shape)}; a batch of at least one was wanted"
            )
        if value.is_complex():
            raise ShapeError(
                f"the example holds {value.dtype}; real numbers or indices were wanted: let the network take"
                " torch.view_as_real(x)"
            )
    tensors = tuple(value for value in examples if isinstance(value, Tensor))
    if len({len(value) for value in tensors}) != 1:
        raise ShapeError(
            f"the example has {[len(value) for value in tensors]} samples in its {len(tensors)} tensors; one"
            " tensor for each input, all with the same number of samples on axis 0, were wanted"
        )
    return tensors


def check_values(graph: Graph, model: nn.Module, values: dict[str, Tensor]) -> None:
    """Shape, dtype, device and finiteness of the values an inversion starts from.

    Raises:
        ShapeError: for a wrong shape, dtype, device or an empty batch.
        NonFiniteError: for NaN or infinity.
    """
    parameter = next((p for p in model.parameters() if p.is_floating_point()), None)
    for name, value in values.items():
        check_value(name, value, _sizes(graph, name), parameter, whole=not graph.is_real(name))
        check_batch(graph, name, value)


def _sizes(graph: Graph, name: str) -> Sizes:
    layout = graph.layout(name) or Layout()
    names = "N" if layout.fold == 1 else f"{layout.fold} N"
    return (*graph.shape(name)[: layout.axis], names, *graph.shape(name)[layout.axis :])


def check_batch(graph: Graph, name: str, value: Tensor) -> None:
    """The number of samples, where the network's own code fixes it."""
    layout = graph.layout(name)
    if layout is None or graph.fixed_batch in (None, layout.samples(value)):
        return
    raise ShapeError(
        f"{name}: got {layout.samples(value)} samples; the network's own code fixes the batch to that of the"
        f" example, {graph.fixed_batch}: capture it with an example of the batch size you want"
    )


def check_value(
    name: str, value: object, sizes: Sizes, parameter: Tensor | None, *, whole: bool = False
) -> None:
    """One tensor against its shape, with words for the free axis, and the network's own dtype and device."""
    wanted = ", ".join(map(str, sizes))
    if not isinstance(value, Tensor):
        raise ShapeError(
            f"{name}: got {type(value).__name__}; a tensor ({wanted}) was wanted: write torch.as_tensor(y)"
        )
    if value.dim() != len(sizes) or any(
        isinstance(b, int) and a != b for a, b in zip(value.shape, sizes, strict=True)
    ):
        raise ShapeError(f"{name}: got shape {tuple(value.shape)}; ({wanted}) was wanted")
    if value.numel() == 0 and 0 in value.shape[:1]:
        raise ShapeError(f"{name}: got an empty batch; at least one sample was wanted")
    if whole and not value.is_floating_point():
        return
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
        bad = int((~torch.isfinite(value)).reshape(value.shape[0], -1).any(1).sum())
        raise NonFiniteError(
            f"{name}: NaN or infinity in {bad} of {value.shape[0]} samples; finite numbers were wanted"
        )
