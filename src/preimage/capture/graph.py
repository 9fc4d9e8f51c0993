"""The captured network as data: nodes, references and the questions a planner asks of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

from torch import Tensor, nn

from preimage.capture.layout import Layout


@dataclass(frozen=True)
class Reference:
    """A named value inside the arguments of a node."""

    name: str

    def __repr__(self) -> str:
        return f"%{self.name}"


@dataclass(frozen=True)
class Node:
    """One operation of the network.

    Args:
        name: unique within the graph.
        operation: base name of the ATen operation, in-place variants already renamed: ``conv2d``, ...
        target: the callable that computes it.
        args, kwargs: operands; named values are ``Reference`` objects, everything else is literal.
        inputs: names of the operands that depend on the network's input, in order, without repetition.
        shape: event shape on the example, without the axis of the samples; ``()`` for numbers and tuples.
        fold: entries of that axis per sample; 1 unless the network folds something into the batch axis.
        parts: event shapes of the parts, where the value is a tuple of tensors.
        whole_parts: which of them hold whole numbers, such as the places of largest numbers.
        path: dotted path of the innermost module that ran it, ``""`` for the root.
        module: class name of that module.
        stack: paths of all modules around it, outermost first.
        source: where in the user's code it stands, for error messages.
        axis: the axis of the samples, 0 in most networks; None where no single axis holds them, or none is
            known to.
        sizes: the full shape on the example; empty where it was not recorded.
        real: whether the value holds real numbers: no indices, no truth values, no complex numbers.
    """

    name: str
    operation: str
    target: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    fold: int = 1
    parts: tuple[tuple[int, ...], ...] = ()
    whole_parts: frozenset[int] = frozenset()
    path: str = ""
    module: str = ""
    stack: tuple[str, ...] = ()
    source: str = ""
    axis: int | None = 0
    sizes: tuple[int, ...] = ()
    real: bool = True

    @property
    def layout(self) -> Layout | None:
        """Where the samples stand in the value, None where that is not known."""
        return None if self.axis is None else Layout(self.axis, self.fold)

    @property
    def size(self) -> int:
        """Numbers per sample in the value; of a tuple with places beside its numbers, the numbers alone."""
        if self.parts:
            return sum(prod(shape) for i, shape in enumerate(self.parts) if i not in self.whole_parts)
        return self.fold * prod(self.shape)

    def __str__(self) -> str:
        operands = ", ".join(map(repr, self.args))
        return f"%{self.name} {self.shape} = {self.operation}({operands})" + (
            f"  # {self.path}" if self.path else ""
        )


@dataclass(frozen=True)
class Graph:
    """A captured network: pure data plus live access to the parameters of the module it came from.

    Args:
        nodes: all operations in execution order.
        inputs: names of the network's inputs.
        input_shapes: their event shapes.
        outputs: names of the values the network returns.
        module: the user's module; parameters are read from it at every use, never copied.
        tensors: reference name -> qualified name of a parameter or buffer.
        constants: reference name -> tensor that the network's code created itself.
        fixed_batch: the only batch size that the capture is valid for, or None when any will do.
        whole: names of the inputs that hold whole numbers, such as the indices of an embedding.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    outputs: tuple[str, ...]
    module: nn.Module = field(repr=False, compare=False)
    tensors: Mapping[str, str] = field(default_factory=dict, repr=False)
    constants: Mapping[str, Tensor] = field(default_factory=dict, repr=False)
    fixed_batch: int | None = None
    whole: frozenset[str] = frozenset()

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """Node of each computed value."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def order(self) -> dict[str, int]:
        """Position of each value in execution order; inputs come first."""
        names = [*self.inputs, *(node.name for node in self.nodes)]
        return {name: position for position, name in enumerate(names)}

    @cached_property
    def consumers(self) -> dict[str, tuple[Node, ...]]:
        """The nodes that read each value."""
        readers: dict[str, list[Node]] = {name: [] for name in self.order}
        for node in self.nodes:
            for name in node.inputs:
                readers[name].append(node)
        return {name: tuple(nodes) for name, nodes in readers.items()}

    @cached_property
    def dominators(self) -> dict[str, frozenset[str]]:
        """For each value, the values through which every path from the inputs to it must pass."""
        found: dict[str, frozenset[str]] = {name: frozenset([name]) for name in self.inputs}
        for node in self.nodes:
            if node.inputs:
                shared = frozenset.intersection(*(found[name] for name in node.inputs))
                found[node.name] = shared | {node.name}
        return found

    def is_data(self, name: str) -> bool:
        """Whether the value depends on the network's input."""
        return name in self.dominators

    def shape(self, name: str) -> tuple[int, ...]:
        """Event shape of a value, without the batch axis."""
        if name in self.by_name:
            return self.by_name[name].shape
        return self.input_shapes[self.inputs.index(name)]

    def layout(self, name: str) -> Layout | None:
        """Where the samples stand in a value, None where that is not known; inputs hold them on axis 0."""
        return self.by_name[name].layout if name in self.by_name else Layout()

    def is_real(self, name: str) -> bool:
        """Whether a value holds real numbers, between which a solver can search."""
        return self.by_name[name].real if name in self.by_name else name not in self.whole

    def size(self, name: str) -> int:
        """Numbers per sample in a value."""
        return self.by_name[name].size if name in self.by_name else prod(self.shape(name))

    def holds_places(self, name: str) -> bool:
        """Whether a value is a part of a tuple and holds whole numbers: no dimension of the input."""
        node = self.by_name.get(name)
        whole = self.by_name.get(node.inputs[0]) if node and node.operation == "getitem" else None
        return whole is not None and node is not None and node.args[1] in whole.whole_parts

    def constant_sizes(self, name: str) -> tuple[int, ...]:
        """Full shape of a parameter, buffer or constant, or of a value computed from them alone.

        Where it grows with the batch, that for one sample.
        """
        tensor = self.tensor(name)
        if tensor is not None:
            return tuple(tensor.shape)
        node = self.by_name[name]
        return node.layout.sizes(node.shape, 1) if node.layout is not None else node.sizes

    def between(self, start: str, end: str) -> tuple[Node, ...]:
        """Nodes that lie on some path from one value to another, the end included, in execution order."""
        skip = len(self.inputs)  # values are numbered from the inputs on
        span = self.nodes[max(0, self.order[start] + 1 - skip) : max(0, self.order[end] + 1 - skip)]
        after = {start}
        for node in span:
            if not after.isdisjoint(node.inputs):
                after.add(node.name)
        before = {end}
        for node in reversed(span):
            if node.name in before:
                before.update(node.inputs)
        return tuple(node for node in span if node.name in after and node.name in before)

    def tensor(self, name: str) -> Tensor | None:
        """The parameter, buffer or constant behind a reference, or None when the value is computed."""
        if name in self.constants:
            return self.constants[name]
        if name in self.tensors:
            return lookup(self.module, self.tensors[name])
        return None

    def __reduce__(self) -> tuple[Any, ...]:
        """Graphs are captured again when unpickled: operations of PyTorch cannot be stored."""
        from preimage.capture.export import recapture

        whole = tuple(name in self.whole for name in self.inputs)
        return recapture, (self.module, self.input_shapes, self.fixed_batch or 1, whole)

    def __str__(self) -> str:
        return "\n".join(
            [f"inputs  {dict(zip(self.inputs, self.input_shapes, strict=True))}"]
            + [f"  {node}" for node in self.nodes]
            + [f"outputs {self.outputs}"]
        )


def lookup(module: nn.Module, qualified: str) -> Tensor:
    """The live parameter or buffer of a module, by its qualified name."""
    owner, _, attribute = qualified.rpartition(".")
    return getattr(module.get_submodule(owner), attribute)


def references(value: Any) -> Iterator[str]:
    """Names of all references inside a nested argument."""
    if isinstance(value, Reference):
        yield value.name
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from references(item)


def substitute(value: Any, resolve: Callable[[str], Any]) -> Any:
    """A nested argument with every reference replaced by ``resolve(name)``."""
    if isinstance(value, Reference):
        return resolve(value.name)
    if isinstance(value, Mapping):
        return {key: substitute(item, resolve) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(substitute(item, resolve) for item in value)
    return value


def names_of(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Names of nodes, in order."""
    return tuple(node.name for node in nodes)
