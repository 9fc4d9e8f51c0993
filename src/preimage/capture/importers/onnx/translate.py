"""From a checked ONNX model to a PyTorch module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, fx

from preimage.capture.importers.builder import Builder, Value, legal_name
from preimage.capture.importers.onnx import operators, sizes
from preimage.capture.importers.onnx.freedom import agree
from preimage.capture.importers.onnx.fusion import fuse
from preimage.capture.importers.onnx.limits import LIMITS, Limits
from preimage.capture.importers.onnx.operation import TRANSLATORS, Operation, Shape, is_shape, plain
from preimage.errors import CaptureError, ModelFileError, PreimageError

FAMILIES = operators.__all__
"""The files of translators; importing them is what registers these."""
DOMAINS = ("", "ai.onnx", "com.microsoft")
NO_SHAPES = frozenset({"ConstantOfShape", "Range", "Expand", "Tile"})
"""Operators that turn a shape into a tensor."""


def translate(model: Any) -> fx.GraphModule:
    """Write every node of a model, in order.

    Where the file fixes the batch size, the network is written for any batch size and tried out; if it then
    does not do what the file does, it is written as the file has it.
    """
    fixed = _Translation(model, None).module()
    shapes = _input_shapes(model.graph)
    batch = _common_batch(shapes)
    if batch is None or _is_huge(model.graph):
        return fixed
    try:
        free = _Translation(model, batch).module()
    except CaptureError:
        return fixed
    return free if agree(free, fixed, shapes, batch) else fixed


def _input_shapes(graph: Any) -> list[tuple[Shape | None, int]]:
    """Shape and number type of each input."""
    constants = {tensor.name for tensor in graph.initializer}
    known = _shapes(graph)
    inputs = (value for value in graph.input if value.name not in constants)
    return [(known.get(value.name), value.type.tensor_type.elem_type) for value in inputs]


def _is_huge(graph: Any, limits: Limits = LIMITS) -> bool:
    """Whether trying the network out would need absurdly large values."""
    return any(prod(size or 1 for size in shape) > limits.elements for shape in _shapes(graph).values())


def _common_batch(shapes: list[tuple[Shape | None, int]]) -> int | None:
    """The batch size that all inputs share and the file fixes; None when there is none, or it is free."""
    sizes = {shape[0] if shape and None not in shape[1:] else None for shape, _ in shapes}
    return sizes.pop() if len(sizes) == 1 else None


@final
class _Translation:
    """The values of an ONNX graph by name while its nodes are written."""

    def __init__(self, model: Any, batch: int | None) -> None:
        import onnx

        self.onnx, self.graph = onnx, model.graph
        self.opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
        self.build = Builder()
        self.shapes = _shapes(model.graph)
        self.values: dict[str, Value] = {"": None}
        self.batch = batch

    def module(self) -> fx.GraphModule:
        """The network."""
        self._read_constants()
        self._read_inputs()
        nodes = fuse(list(self.graph.node), self._scalar, {o.name for o in self.graph.output})
        uses = Counter(name for node in nodes for name in node.input)
        uses.update(output.name for output in self.graph.output)
        for number, node in enumerate(nodes):
            self._write(number, node, uses)
        return self.build.finish(self._outputs(), legal_name(self.graph.name, "OnnxNetwork"))

    def _read_constants(self) -> None:
        if self.graph.sparse_initializer:
            raise CaptureError("the ONNX model has sparse constants; dense ones were wanted")
        for tensor in self.graph.initializer:
            self.values[tensor.name] = plain(self._tensor(tensor))

    def _tensor(self, tensor: Any) -> Tensor:
        if tensor.data_type == self.onnx.TensorProto.BFLOAT16:
            raise CaptureError(f"tensor {tensor.name!r} holds bfloat16; float32 was wanted")
        try:
            array = np.array(
                self.onnx.numpy_helper.to_array(tensor)
            )  # a copy: the file's memory is read-only
            found = torch.from_numpy(array)
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"tensor {tensor.name!r} cannot be read: {error}") from error
        return found

    def _read_inputs(self) -> None:
        names = [value for value in self.graph.input if value.name not in self.values]
        if not names:
            raise CaptureError("the ONNX model has no inputs")
        for value in names:
            self.values[value.name] = self.build.input(value.name)

    def _outputs(self) -> list[Value]:
        missing = [o.name for o in self.graph.output if o.name not in self.values]
        if missing:
            raise ModelFileError(f"nothing computes the outputs {missing}")
        found = [self.values[output.name] for output in self.graph.output]
        return [self.build.call(sizes.as_tensor, v) if is_shape(v) else v for v in found]

    def _write(self, number: int, node: Any, uses: Mapping[str, int]) -> None:
        outputs = list(node.output)
        while outputs and not uses.get(outputs[-1]):
            outputs.pop()
        if not outputs:
            return
        name = node.name or f"{node.op_type}_{number}"
        op = Operation(
            kind=node.op_type,
            name=name,
            inputs=[self._value(name, operand) for operand in node.input],
            attributes=self._attributes(node),
            opset=self.opset,
            outputs=len(outputs),
            build=self.build,
            shapes=[self.shapes.get(operand) for operand in node.input],
            batch=self.batch,
        )
        found = self._translated(op, node)
        for output, value in zip(outputs, found if _is_several(op, found) else (found,), strict=False):
            self.values[output] = plain(value)

    def _value(self, name: str, operand: str) -> Value:
        if operand not in self.values:
            raise ModelFileError(f"ONNX node {name!r} reads {operand!r}, which nothing computes")
        return self.values[operand]

    def _translated(self, op: Operation, node: Any) -> Value:
        if op.kind == "Constant":
            return _constant(op)
        translator = TRANSLATORS.get(op.kind)
        if translator is None or node.domain not in DOMAINS:
            op.refuse(f"this operator of the domain {node.domain or 'ai.onnx'!r} is not known here")
        try:
            found = translator(op)  # type: ignore[misc]
        except PreimageError:
            raise
        except Exception as error:  # hostile or broken files can make any call of PyTorch fail
            op.refuse(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        if isinstance(found, fx.Node) and op.kind not in NO_SHAPES:
            operands = [v for v in op.inputs if v is not None]
            shapes = found.target in (sizes.shape, sizes.product, sizes.apply)
            found.meta["is shape"] = shapes or all(map(is_shape, operands))
        return found

    def _attributes(self, node: Any) -> dict[str, Any]:
        return {a.name: self._attribute(node, a) for a in node.attribute}

    def _attribute(self, node: Any, attribute: Any) -> Any:
        kinds = self.onnx.AttributeProto
        if attribute.type in (kinds.GRAPH, kinds.GRAPHS):
            raise CaptureError(
                f"ONNX node {node.name!r} ({node.op_type}) branches or loops; a network without control flow"
                " was wanted: export it by tracing, or simplify the file (onnxsim) so that fixed branches go"
            )
        value = self.onnx.helper.get_attribute_value(attribute)
        if attribute.type == kinds.TENSOR:
            return self._tensor(value)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if attribute.type in (kinds.FLOATS, kinds.INTS):
            return tuple(value)
        return [v.decode() for v in value] if attribute.type == kinds.STRINGS else value

    def _scalar(self, name: str) -> float | None:
        """A constant of one number, for recognising patterns."""
        value = self.values.get(name)
        if value is None:
            node = next((n for n in self.graph.node if name in n.output and n.op_type == "Constant"), None)
            held = [a for a in node.attribute if a.name in ("value", "value_float")] if node else []
            value = self._attribute(node, held[0]) if held else None
        if isinstance(value, Tensor) and value.numel() == 1:
            return float(value.item())
        return float(value) if isinstance(value, (int, float)) else None


def _constant(op: Operation) -> Value:
    names = ("value", "value_float", "value_floats", "value_int", "value_ints")
    name = next((n for n in names if n in op.attributes), None)
    if name is None:
        return op.refuse("a constant that is neither a tensor nor numbers")
    value = op.attribute(name)
    return torch.tensor(value) if name in ("value_float", "value_floats") else value


def _is_several(op: Operation, found: Value) -> bool:
    """Whether a translator returned one value for each output; a shape is one value."""
    return isinstance(found, tuple) and op.kind in ("Split", "LSTM", "GRU", "RNN")


def _shapes(graph: Any) -> dict[str, Shape]:
    """Shapes that the file states or shape inference found; None for sizes that are free."""
    found = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if value.type.HasField("tensor_type") and kind.HasField("shape"):
            found[value.name] = tuple(
                d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim
            )
    return found
