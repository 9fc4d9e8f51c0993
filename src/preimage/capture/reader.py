"""One exported program, translated into a graph."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, cast, final

import torch
from torch import SymInt, Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument

from preimage.capture.chance import refuse_chance
from preimage.capture.graph import Graph, Node, Reference, references
from preimage.capture.interpret import BATCH
from preimage.capture.layout import Layout, symbolic_layout, symbolic_size
from preimage.capture.rewrite import DROPPED, Samples, known_as, rewritten
from preimage.capture.twice import REPLACED
from preimage.errors import CaptureError, NotInvertibleError


class WritesIntoView(CaptureError):
    """A part of a value is overwritten: the program must be made functional first."""


def read(model: nn.Module, program: ExportedProgram, batch: int, fixed: int | None) -> Graph:
    """The graph of an exported program; where each value holds its samples is read from its symbolic sizes.

    Args:
        model: the module that was exported.
        program: the exported program.
        batch: batch size of the example.
        fixed: the batch size that the program is valid for, None when any will do.
    """
    return _Reader(model, program, batch, fixed).graph()


@final
class _Reader:
    """The state of one translation."""

    def __init__(self, model: nn.Module, program: ExportedProgram, batch: int, fixed: int | None) -> None:
        self.model, self.program, self.fixed = model, program, fixed
        self.batch = fixed or max(batch, 2)
        self.renamed: dict[str, Any] = {}
        self.single: set[str] = set()
        self.data: set[str] = set()
        self.views: set[str] = set()
        self.nodes: list[Node] = []
        self.inputs: list[fx.Node] = []
        self.tensors: dict[str, str] = {}
        self.constants: dict[str, Tensor] = {}

    def graph(self) -> Graph:
        """All nodes, in execution order."""
        self._read_signature()
        for node in self.program.graph.nodes:
            if node.op == "call_function":
                self._read_call(node)
            elif node.op == "get_attr":
                self.constants[node.name] = cast(Tensor, getattr(self.program.graph_module, str(node.target)))
        return Graph(
            nodes=tuple(self.nodes),
            inputs=tuple(node.name for node in self.inputs),
            input_shapes=tuple(_sizes(node.meta["val"])[1:] for node in self.inputs),
            outputs=self._outputs(),
            module=self.model,
            tensors=self.tensors,
            constants=self.constants,
            fixed_batch=self.fixed,
            whole=frozenset(n.name for n in self.inputs if not n.meta["val"].is_floating_point()),
        )

    def _read_signature(self) -> None:
        placeholders = {n.name: n for n in self.program.graph.nodes if n.op == "placeholder"}
        for spec in self.program.graph_signature.input_specs:
            name = spec.arg.name
            if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
                self.tensors[name] = str(spec.target)
            elif spec.kind in (InputKind.CONSTANT_TENSOR, InputKind.CUSTOM_OBJ):
                self.constants[name] = cast(Tensor, self.program.constants[str(spec.target)])
            elif spec.kind == InputKind.USER_INPUT and name in placeholders:
                self.inputs.append(placeholders[name])
                self.data.add(name)

    def _outputs(self) -> tuple[str, ...]:
        """Tensors that the network returns and that depend on its input."""
        specs = self.program.graph_signature.output_specs
        returned = [s.arg for s in specs if s.kind == OutputKind.USER_OUTPUT]
        names = [self._rename(Reference(a.name)).name for a in returned if isinstance(a, TensorArgument)]
        outputs = tuple(dict.fromkeys(name for name in names if name in self.data))
        if not outputs:
            raise NotInvertibleError("the network returns no tensor that depends on its input")
        return outputs

    def _read_call(self, node: fx.Node) -> None:
        if isinstance(node.meta.get("val"), SymInt):
            self._read_size(node)
            return
        operation, target, replaces = self._functional(node)
        if operation in DROPPED or self._is_first_part(node):
            return
        args, kwargs = self._operands(node.args), self._operands(node.kwargs)
        equal = rewritten(operation, node)
        if equal is not None:
            operation, target, kwargs = equal[0], equal[1], {}
            args = self._operands(equal[2])
            self.single.add(node.name)
        operation = operation if equal is not None else known_as(operation)
        inputs = tuple(dict.fromkeys(n for n in references((args, kwargs)) if n in self.data))
        refuse_chance(operation, args, kwargs, node)
        if inputs:
            self.data.add(node.name)
        stack = _module_stack(node)
        self.nodes.append(
            Node(
                name=node.name,
                operation=operation,
                target=target,
                args=args,
                kwargs=kwargs,
                inputs=inputs,
                path=stack[-1][0] if stack else "",
                module=stack[-1][1] if stack else "",
                stack=tuple(path for path, _ in stack),
                source=(node.meta.get("stack_trace") or "").strip().split("\n\n")[-1][-300:],
                **self._description(self._value(operation, node)),
            )
        )
        if replaces is not None:
            self._write_in_place(replaces, node)

    def _read_size(self, node: fx.Node) -> None:
        found = self._size(cast(SymInt, node.meta["val"]), node.name)
        if isinstance(found, int) or found.name != node.name:
            self.renamed[node.name] = found

    def _size(self, size: SymInt, name: str = "") -> Reference | int:
        """A number that depends on the batch: computed from it alone."""
        seen = [symbolic_size(size, n) for n in (2, 3, 5)]
        if seen == [2, 3, 5]:
            return Reference(BATCH)
        if len(set(seen)) == 1:
            return seen[0]

        def of_batch(samples: int) -> int:
            return symbolic_size(size, samples)

        name = name or f"size_of_{len(self.nodes)}_{len(self.renamed)}"
        self.nodes.append(Node(name, "size", of_batch, (Reference(BATCH),), {}, (), (), axis=None))
        return Reference(name)

    def _is_first_part(self, node: fx.Node) -> bool:
        """Whether the node takes the result out of a tuple that was rewritten to hold nothing else."""
        whole = node.args[0] if node.args else None
        if (
            node.target is not operator.getitem
            or not isinstance(whole, fx.Node)
            or whole.name not in self.single
        ):
            return False
        self.renamed[node.name] = Reference(whole.name)
        return True

    def _operands(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            return self._rename(Reference(value.name))
        if isinstance(value, Samples):
            return Reference(BATCH)
        if isinstance(value, SymInt):
            return self._size(value)
        if isinstance(value, Mapping):
            return {key: self._operands(item) for key, item in value.items()}
        if isinstance(value, tuple):
            return tuple(self._operands(item) for item in value)
        return [self._operands(item) for item in value] if isinstance(value, list) else value

    def _rename(self, reference: Reference) -> Any:
        """What stands for a value now: another one, or a number."""
        while isinstance(reference, Reference) and reference.name in self.renamed:
            reference = self.renamed[reference.name]
        return reference

    def _functional(self, node: fx.Node) -> tuple[str, Callable[..., Any], str | None]:
        """Base name, pure callable, and the operand that an in-place operation overwrites."""
        target: Any = node.target
        if not isinstance(target, torch._ops.OpOverload):
            return getattr(target, "__name__", str(target)), target, None
        name = target._schema.name.split("::")[-1]
        if name.endswith("_") and not name.endswith("__"):
            pure = getattr(getattr(torch.ops.aten, name[:-1], None), target._overloadname, None)
            first = node.args[0]
            if pure is None or not isinstance(first, fx.Node):
                raise CaptureError(
                    f"in-place operation {name} at {node.name} has no pure form; write it out of place"
                )
            return name[:-1], pure, first.name
        if target.is_view:
            self.views.add(node.name)
        return name, REPLACED.get(name, target), None

    def _write_in_place(self, written: str, node: fx.Node) -> None:
        """Later readers of the overwritten value read the new one."""
        written = self._rename(Reference(written)).name
        if written in self.tensors and self._is_idle(written):
            return
        if written in self.views or written in self.tensors:
            kind = "a view" if written in self.views else f"the buffer or parameter {self.tensors[written]!r}"
            refused = WritesIntoView if written in self.views else CaptureError
            raise refused(
                f"{node.name} ({node.target}) writes in place into {kind}; a network without side effects was"
                f" wanted: write it out of place. {(node.meta.get('stack_trace') or '').strip()[-300:]}"
            )
        self.renamed[written] = Reference(node.name)

    def _is_idle(self, name: str) -> bool:
        """Whether nothing that the network returns depends on a buffer, as on a counter of calls."""
        specs = self.program.graph_signature.output_specs
        returned = {spec.arg.name for spec in specs if spec.kind == OutputKind.USER_OUTPUT}
        waiting = [node for node in self.program.graph.nodes if node.name == name]
        seen: set[str] = set()
        while waiting:
            node = waiting.pop()
            if node.name not in seen:
                seen.add(node.name)
                waiting += [user for user in node.users if user.op != "output"]
        return seen.isdisjoint(returned)

    def _value(self, operation: str, node: fx.Node) -> Any:
        """What an operation gives on the example: one result of some that were exported with several."""
        value = node.meta.get("val")
        single = operation == "batch_norm" or node.name in self.single
        return value[0] if single and isinstance(value, tuple | list) else value

    def _description(self, value: Any) -> dict[str, Any]:
        """Shape and layout of a value, or of the parts of a tuple."""
        if isinstance(value, (tuple, list)):
            parts = [part for part in value if isinstance(part, Tensor)]
            whole = (i for i, part in enumerate(parts) if not part.is_floating_point() | part.is_complex())
            shapes = tuple(self._event(part)[0] for part in parts)
            return {"shape": (), "parts": shapes, "whole_parts": frozenset(whole)}
        if not isinstance(value, Tensor) or value.dim() == 0:
            return {"shape": (), "axis": None}
        shape, layout = self._event(value)
        axis, fold = (layout.axis, layout.fold) if layout else (None, 1)
        real = value.is_floating_point()
        return {"shape": shape, "axis": axis, "fold": fold, "sizes": _sizes(value), "real": real}

    def _event(self, value: Tensor) -> tuple[tuple[int, ...], Layout | None]:
        sizes, layout = _sizes(value), symbolic_layout(value.shape)
        if not sizes:
            return (), None
        if self.fixed == 1:  # every value belongs to the one sample, whatever its first axis means
            return sizes[1:], Layout(0, sizes[0]) if sizes[0] else None
        if layout is None:  # numbers per sample are counted all the same
            rows = max(1, sizes[0] // self.batch)
            return (*((rows,) if rows > 1 else ()), *sizes[1:]), None
        return layout.event(sizes), layout


def _sizes(value: Tensor) -> tuple[int, ...]:
    if any(isinstance(s, SymInt) and s.node.hint is None for s in value.shape):
        raise CaptureError(
            "the network makes a tensor whose size depends on the values of its input, as x[x > 0] or nonzero"
            " do; sizes that the input's shape decides were wanted: write torch.where(x > 0, x, 0)"
        )
    return tuple(operator.index(s.node.hint) if isinstance(s, SymInt) else int(s) for s in value.shape)


def _module_stack(node: fx.Node) -> list[tuple[str, str]]:
    stack = node.meta.get("nn_module_stack") or {}
    pairs = [(_call(key, entry[0]), _class_name(entry[1])) for key, entry in stack.items()]
    return [] if pairs and pairs[0][0].startswith("_empty") else pairs


def _call(key: str, path: str) -> str:
    """The path of a module, with a marker such as ``@1`` for its second call."""
    _, mark, number = str(key).rpartition("@")
    return f"{path}@{number}" if mark and "@" not in path else path


def _class_name(cls: Any) -> str:
    return str(cls if isinstance(cls, str) else cls.__qualname__).split(".")[-1]
