"""Capture by torch.export, not decomposed: linear layers, norms and attention stay whole."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, ShapesCollection

from preimage.capture.echo import without_echo
from preimage.capture.graph import Graph
from preimage.capture.probe import with_layouts
from preimage.capture.reader import WritesIntoView, read
from preimage.capture.refusals import (
    place_of,
    reason_of,
    refuse_example,
    refuse_training_mode,
    refuse_what_is_no_network,
)
from preimage.errors import CaptureError

Example = Tensor | tuple[Tensor, ...]


def capture(model: nn.Module, example: Example) -> Graph:
    """Turn a network into a graph of operations that reads its parameters live.

    The network is traced once on the example; the batch axis (axis 0 of every input) stays free wherever the
    network's own code allows it.

    Args:
        model: any ``nn.Module`` without data-dependent control flow, in evaluation mode.
        example: one input ``(N, ...)``, or a tuple of inputs with the same N.

    Returns:
        The captured graph. Parameters are shared with the model, never copied.

    Raises:
        NotInvertibleError: when the output is not a function of one sample: batch norm or dropout in training
            mode, batch norm without running statistics.
        CaptureError: when the network cannot be traced; the message shows the line or what came.

    Cost:
        One traced forward pass, 0.3 to 10 s.

    Example:
        >>> import torch
        >>> graph = capture(torch.nn.Linear(3, 2), torch.zeros(1, 3))
        >>> [node.operation for node in graph.nodes], graph.size(graph.outputs[0])
        (['linear'], 2)
    """
    refuse_what_is_no_network(model)
    refuse_training_mode(model)
    examples = in_precision_of(model, example if isinstance(example, tuple) else (example,))
    program, fixed = _export(model, examples)
    try:
        graph = read(model, program, examples[0].shape[0], fixed)
    except WritesIntoView:
        graph = read(model, _functional(program), examples[0].shape[0], fixed)
    return with_layouts(graph, examples)


def _functional(program: ExportedProgram) -> ExportedProgram:
    """The same program without writes in place; its operations stay whole otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns about its own internals
        return program.run_decompositions({})


def _export(model: nn.Module, examples: tuple[Tensor, ...]) -> tuple[ExportedProgram, int | None]:
    """Export with a free batch axis; where the network's code fixes the batch, with that of the example."""
    doubled = tuple(torch.cat([e, e]) if e.shape[0] == 1 else e.clone() for e in examples)
    try:
        return _call_export(model, doubled, Dim.DYNAMIC), None
    except Exception as free:
        try:
            copies = tuple(e.clone() for e in examples)  # export marks the tensors it was given
            return _call_export(model, copies, None), examples[0].shape[0]
        except Exception as fixed:
            refuse_example(model, examples)
            raise CaptureError(_explain(fixed)) from free


def _call_export(model: nn.Module, examples: tuple[Tensor, ...], batch: Any) -> ExportedProgram:
    shapes: Any = None if batch is None else _free_batch(examples, batch)
    with without_echo(), torch.no_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns about its own internals
        return torch.export.export(model, examples, dynamic_shapes=shapes, strict=False)


def _free_batch(examples: tuple[Tensor, ...], batch: Any) -> ShapesCollection:
    """Axis 0 of every input is free, whatever the signature of the network's forward pass."""
    shapes = ShapesCollection()
    for example in examples:
        shapes[example] = {0: batch}
    return shapes


def _explain(error: Exception) -> str:
    return (
        f"the network could not be captured{place_of(error)}. Reason: {reason_of(error)}. Wanted: a forward"
        " pass whose control flow does not depend on tensor values. Instead: replace `if tensor:` by"
        " torch.where, .item(), .tolist() and .numpy() by tensor operations, or invert the submodule before"
        " or after that line"
    )


def in_precision_of(model: nn.Module, examples: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Examples in the number format of the network, since only their shapes matter; indices as they are.

    Raises:
        CaptureError: when the network cannot take the indices.
    """
    if not all(example.is_floating_point() for example in examples):
        refuse_example(model, examples)
    like = next((p for p in model.parameters() if p.is_floating_point()), None)
    return tuple(e if like is None or not e.is_floating_point() else e.to(like.dtype) for e in examples)


def recapture(
    model: nn.Module, shapes: tuple[tuple[int, ...], ...], batch: int, whole: tuple[bool, ...] = ()
) -> Graph:
    """The graph of a model that came out of a file: captured again from shapes alone.

    Args:
        model: the network.
        shapes: event shapes of its inputs.
        batch: batch size of the example.
        whole: which inputs hold whole numbers; none by default.
    """
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    types = [torch.long if w else like.dtype for w in (whole or (False,) * len(shapes))]
    examples = (
        torch.zeros(batch, *s, dtype=t, device=like.device) for s, t in zip(shapes, types, strict=True)
    )
    return capture(model, tuple(examples))


__all__ = ["capture"]
