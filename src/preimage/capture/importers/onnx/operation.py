"""One ONNX node as the translators see it, and the register of translators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import Tensor, fx

from preimage.capture.importers.builder import Builder, Value
from preimage.errors import CaptureError

Shape = tuple[int | None, ...]
Translator = Callable[["Operation"], Value]


@dataclass(frozen=True)
class Operation:
    """One node of an ONNX graph with its operands resolved.

    Small integer constants, which are shapes and axes, are plain ints and tuples; other constants are
    tensors; what depends on the input is an ``fx.Node``.

    Args:
        kind: the operator, such as ``Conv``.
        name: name of the node, for the module that it becomes.
        inputs: operands; None where an optional one is left out.
        attributes: plain Python values; tensors as ``Tensor``.
        opset: version of the operator set.
        outputs: number of results.
        build: writes the network.
        shapes: shapes of the operands as far as shape inference knows them.
        batch: the batch size that the file fixes, or None where it leaves it free.
    """

    kind: str
    name: str
    inputs: Sequence[Value]
    attributes: Mapping[str, Any]
    opset: int
    outputs: int
    build: Builder
    shapes: Sequence[Shape | None] = field(default_factory=tuple)
    batch: int | None = None

    def input(self, index: int, default: Value = None) -> Value:
        """An operand, or its default where it is left out."""
        found = self.inputs[index] if index < len(self.inputs) else None
        return default if found is None else found

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default."""
        return self.attributes.get(name, default)

    def setting(self, name: str, index: int, default: Any = None) -> Any:
        """What older operator sets give as an attribute and newer ones as a constant operand."""
        found = self.attributes.get(name)
        return self.constant(index, default, name) if found is None else found

    def constant(self, index: int, default: Any = None, what: str = "operand") -> Any:
        """An operand that must not depend on the network's input."""
        value = self.input(index, default)
        if isinstance(value, fx.Node) or _holds_nodes(value):
            self.refuse(f"{what} number {index} depends on the network's input; a constant was wanted")
        return value

    def integers(self, name: str, index: int) -> tuple[int, ...] | None:
        """Axes, sizes and the like, as attribute or operand; None when left out."""
        value = self.setting(name, index)
        if value is None:
            return None
        if isinstance(value, Tensor):
            value = value.tolist()
        return (int(value),) if isinstance(value, int) else tuple(int(v) for v in value)

    def shape(self, index: int) -> Shape | None:
        """Shape of an operand as far as it is known."""
        value = self.input(index)
        if isinstance(value, Tensor):
            return tuple(value.shape)
        return self.shapes[index] if index < len(self.shapes) else None

    def rank(self, index: int) -> int | None:
        """Number of axes of an operand, or None when unknown."""
        shape = self.shape(index)
        return None if shape is None else len(shape)

    def known_rank(self, index: int) -> int:
        """Number of axes of an operand."""
        rank = self.rank(index)
        return self.refuse(f"the rank of operand {index} is unknown") if rank is None else rank

    def refuse(self, reason: str) -> NoReturn:
        """Stop with the node's name and the reason."""
        raise CaptureError(
            f"ONNX node {self.name!r} ({self.kind}, operator set {self.opset}) cannot be imported: {reason}."
            " Instead: simplify the file first (onnxsim, onnxruntime's offline optimiser), or invert the"
            " network in the library that it came from"
        )


TRANSLATORS: dict[str, Translator] = {}
"""Operator -> how to write it."""


def operator(*kinds: str) -> Callable[[Translator], Translator]:
    """Register how to translate ONNX operators."""

    def register(translator: Translator) -> Translator:
        TRANSLATORS.update(dict.fromkeys(kinds, translator))
        return translator

    return register


def plain(value: Value) -> Value:
    """Small integer constants as ints and tuples: shapes stay Python numbers, so the batch stays free."""
    if not isinstance(value, Tensor) or value.dtype not in (torch.int64, torch.int32):
        return value
    if value.dim() > 1 or value.numel() > 4096:
        return value
    found = value.tolist()
    return tuple(found) if isinstance(found, list) else found


def is_shape(value: Value) -> bool:
    """Whether a value is a shape, or a number of one: known, or computed from the batch size."""
    if isinstance(value, fx.Node):
        return bool(value.meta.get("is shape"))
    return isinstance(value, (int, tuple)) and not isinstance(value, bool)


def is_zero(value: Value) -> bool:
    """Whether every number of a value is certainly zero."""
    if isinstance(value, fx.Node):
        return bool(value.meta.get("is zero"))
    return isinstance(value, Tensor) and not bool(value.any())


def mark_zero(value: Value) -> Value:
    """Remember that every number of a value is zero."""
    if isinstance(value, fx.Node):
        value.meta["is zero"] = True
    return value


def _holds_nodes(value: Value) -> bool:
    return isinstance(value, (tuple, list)) and any(isinstance(item, fx.Node) for item in value)
