"""Capture by torch.export, not decomposed: linear layers, norms and attention stay whole."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from preimage.capture.graph import Graph, Node, Reference, references
from preimage.capture.interpret import BATCH
from preimage.errors import CaptureError, NotInvertibleError

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
        NotInvertibleError: when batch norm or dropout is in training mode.
        CaptureError: when the network cannot be traced; the message shows the line.

    Cost:
        One traced forward pass, 0.3 to 10 s.

    Example:
        >>> import torch
        >>> graph = capture(torch.nn.Linear(3, 2), torch.zeros(1, 3))
        >>> [node.operation for node in graph.nodes], graph.size(graph.outputs[0])
        (['linear'], 2)
    """
    refuse_training_mode(model)
    examples = example if isinstance(example, tuple) else (example,)
    program, fixed = _export(model, examples)
    return _Reader(model, program, examples[0].shape[0], fixed).graph()


def refuse_training_mode(model: nn.Module) -> None:
    """Refuse layers whose output depends on the other samples of the batch, or on chance."""
    for path, module in model.named_modules():
        random = isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0
        batch = isinstance(module, nn.modules.batchnorm._BatchNorm)
        if module.training and (random or batch):
            raise NotInvertibleError(
                f"layer {path!r} ({type(module).__name__}) is in training mode, where its output is not"
                " a function of one sample; a fixed network was wanted: call model.eval() first"
            )


def _export(model: nn.Module, examples: tuple[Tensor, ...]) -> tuple[ExportedProgram, int | None]:
    """Export with a free batch axis; where the network's code fixes the batch, with that of the example."""
    doubled = tuple(torch.cat([e, e]) if e.shape[0] == 1 else e for e in examples)
    try:
        return _call_export(model, doubled, Dim.DYNAMIC), None
    except Exception as free:
        try:
            copies = tuple(e.clone() for e in examples)  # export marks the tensors it was given
            return _call_export(model, copies, None), examples[0].shape[0]
        except Exception as fixed:
            raise CaptureError(_explain(fixed)) from free


def _call_export(model: nn.Module, examples: tuple[Tensor, ...], batch: Any) -> ExportedProgram:
    shapes = None if batch is None else tuple({0: batch} for _ in examples)
    with torch.no_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns about its own internals
        return torch.export.export(model, examples, dynamic_shapes=shapes, strict=False)


def _explain(error: Exception) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/torch/" not in f.filename]
    frames = [f for f in frames if not f.filename.endswith("capture/export.py")]
    place = f' at {frames[-1].filename}, line {frames[-1].lineno}: "{frames[-1].line}"' if frames else ""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return (
        f"the network could not be captured{place}. Reason: {reason}. Wanted: a forward pass whose control"
        " flow does not depend on tensor values. Instead: replace `if tensor:` by torch.where, .item()"
        " and .tolist() by tensor operations, or invert the submodule before or after that line"
    )


def recapture(model: nn.Module, shapes: tuple[tuple[int, ...], ...], batch: int) -> Graph:
    """The graph of a model that came out of a file: captured again from shapes alone.

    Args:
        model: the network.
        shapes: event shapes of its inputs.
        batch: batch size of the example.
    """
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    return capture(model, tuple(torch.zeros(batch, *s, dtype=like.dtype, device=like.device) for s in shapes))


class _Reader:
    """Translates one exported program into a Graph."""

    def __init__(self, model: nn.Module, program: ExportedProgram, batch: int, fixed: int | None) -> None:
        self.model, self.program, self.fixed = model, program, fixed
        self.batch = fixed or max(batch, 2)
        self.renamed: dict[str, Reference] = {}
        self.data: set[str] = set()
        self.views: set[str] = set()
        self.nodes: list[Node] = []
        self.inputs: list[fx.Node] = []
        self.tensors: dict[str, str] = {}
        self.constants: dict[str, Tensor] = {}

    def graph(self) -> Graph:
        self._read_signature()
        for node in self.program.graph.nodes:
            if node.op == "call_function":
                self._read_call(node)
            elif node.op == "get_attr":
                self.constants[node.name] = cast(Tensor, getattr(self.program.graph_module, str(node.target)))
        return Graph(
            nodes=tuple(self.nodes),
            inputs=tuple(node.name for node in self.inputs),
            input_shapes=tuple(self._event(node.meta["val"])[0] for node in self.inputs),
            outputs=self._outputs(),
            module=self.model,
            tensors=self.tensors,
            constants=self.constants,
            fixed_batch=self.fixed,
        )

    def _read_signature(self) -> None:
        placeholders = {n.name: n for n in self.program.graph.nodes if n.op == "placeholder"}
        for spec in self.program.graph_signature.input_specs:
            name = spec.arg.name
            if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
                self.tensors[name] = str(spec.target)
            elif spec.kind == InputKind.CONSTANT_TENSOR:
                self.constants[name] = cast(Tensor, self.program.constants[str(spec.target)])
            elif spec.kind == InputKind.USER_INPUT and name in placeholders:
                self.inputs.append(placeholders[name])
                self.data.add(name)

    def _outputs(self) -> tuple[str, ...]:
        specs = self.program.graph_signature.output_specs
        names = [spec.arg.name for spec in specs if spec.kind == OutputKind.USER_OUTPUT]
        return tuple(self._rename(Reference(name)).name for name in names)

    def _read_call(self, node: fx.Node) -> None:
        if node.target is torch.ops.aten.sym_size.int and node.args[1] == 0 and self._is_batch(node):
            self.renamed[node.name] = Reference(BATCH)
            return
        args, kwargs = self._operands(node.args), self._operands(node.kwargs)
        inputs = tuple(dict.fromkeys(n for n in references((args, kwargs)) if n in self.data))
        operation, target, replaces = self._functional(node)
        _refuse_chance(operation, args, node)
        if operation == "sym_size":
            inputs = ()  # a shape is not data
        if inputs:
            self.data.add(node.name)
        shape, fold, parts = self._describe(node.meta.get("val"))
        stack = _module_stack(node)
        self.nodes.append(
            Node(
                name=node.name,
                operation=operation,
                target=target,
                args=args,
                kwargs=kwargs,
                inputs=inputs,
                shape=shape,
                fold=fold,
                parts=parts,
                path=stack[-1][0] if stack else "",
                module=stack[-1][1] if stack else "",
                stack=tuple(path for path, _ in stack),
                source=(node.meta.get("stack_trace") or "").strip().split("\n\n")[-1][-300:],
            )
        )
        if replaces is not None:
            self._write_in_place(replaces, node)

    def _operands(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            return self._rename(Reference(value.name))
        if isinstance(value, Mapping):
            return {key: self._operands(item) for key, item in value.items()}
        if isinstance(value, tuple):
            return tuple(self._operands(item) for item in value)
        return [self._operands(item) for item in value] if isinstance(value, list) else value

    def _rename(self, reference: Reference) -> Reference:
        while reference.name in self.renamed:
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
        return name, target, None

    def _write_in_place(self, written: str, node: fx.Node) -> None:
        """Later readers of the overwritten value read the new one."""
        written = self._rename(Reference(written)).name
        if written in self.views or written in self.tensors:
            kind = "a view" if written in self.views else f"the buffer or parameter {self.tensors[written]!r}"
            raise CaptureError(
                f"{node.name} ({node.target}) writes in place into {kind}; a network without side effects was"
                f" wanted: write it out of place. {(node.meta.get('stack_trace') or '').strip()[-300:]}"
            )
        self.renamed[written] = Reference(node.name)

    def _is_batch(self, node: fx.Node) -> bool:
        return (
            int(node.meta["val"].node.hint if hasattr(node.meta["val"], "node") else node.meta["val"])
            == self.batch
        )

    def _describe(self, value: Any) -> tuple[tuple[int, ...], int, tuple[tuple[int, ...], ...]]:
        if isinstance(value, (tuple, list)):
            return (), 1, tuple(self._event(part)[0] for part in value if isinstance(part, Tensor))
        if isinstance(value, Tensor):
            shape, fold = self._event(value)
            return shape, fold, ()
        return (), 1, ()

    def _event(self, value: Tensor) -> tuple[tuple[int, ...], int]:
        sizes = [int(s.node.hint) if isinstance(s, torch.SymInt) else int(s) for s in value.shape]
        if not sizes:
            return (), 1
        return tuple(sizes[1:]), max(1, sizes[0] // self.batch)


def _refuse_chance(operation: str, args: tuple[Any, ...], node: fx.Node) -> None:
    """Dropout that was called with training=True is no function of its input."""
    if "dropout" in operation and len(args) > 2 and args[2] and args[1]:
        raise NotInvertibleError(
            f"{node.name} is dropout with training=True, whose output depends on chance; a fixed network was"
            " wanted: call model.eval(), and pass training=self.training"
        )


def _module_stack(node: fx.Node) -> list[tuple[str, str]]:
    entries = (node.meta.get("nn_module_stack") or {}).values()
    pairs = [(entry[0], _class_name(entry[1])) for entry in entries]
    return [] if pairs and pairs[0][0].startswith("_empty") else pairs


def _class_name(cls: Any) -> str:
    return str(cls if isinstance(cls, str) else cls.__qualname__).split(".")[-1]


__all__ = ["capture", "refuse_training_mode"]
