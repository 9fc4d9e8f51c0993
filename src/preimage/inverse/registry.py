"""Inverse rules are registered per operation or module class, never added to an if-ladder."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from preimage.capture.graph import Graph, Node, substitute
from preimage.capture.interpret import BATCH, evaluate
from preimage.certificate import Certificate
from preimage.errors import NotInvertibleError
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.values import column

if TYPE_CHECKING:
    from preimage.inverse.context import RuleContext


class _Unknown:
    """The operand that is being looked for."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True)
class Solved:
    """What a rule returns.

    Args:
        x: the unknown operand, ``(N, *event)``.
        log_det: log abs det of dx/dy, ``(N,)``; None when the operation is not bijective.
        certificate: evidence of this call; None when the closed form needs none.
        exact: fraction of the numbers in x that are certainly the only solution, between 0 and 1.
        more: a longer search that was not made yet, as other ways may be shorter; None where there is none.
    """

    x: Tensor
    log_det: Tensor | None = None
    certificate: Certificate | None = None
    exact: float = 1.0
    more: Callable[[], Solved] | None = None

    def finished(self) -> Solved:
        """What the longer search finds; this answer where there is none."""
        return self if self.more is None else self.more()


@dataclass(frozen=True)
class Site:
    """One place in a network, seen from its output: what a rule is given.

    Args:
        graph: the captured network.
        nodes: the operations to invert, in execution order; a single one for most rules.
        source: name of the value that is looked for.
        target: name of the value that is known.
        values: known values that the operations read besides the unknown one.
        noise: relative error that the known value is believed to carry; 0 when it is exact.
        module: the module, where the rule was registered for a module class.
        targets: names of all known values, where there are several; y is then their concatenation.
        context: what the inverse has prepared: factorisations and priors.
    """

    graph: Graph
    nodes: tuple[Node, ...]
    source: str
    target: str
    values: Mapping[str, Any] = field(default_factory=dict)
    noise: float = 0.0
    module: nn.Module | None = None
    targets: tuple[str, ...] = ()
    context: RuleContext | None = None

    @property
    def node(self) -> Node:
        """The last operation, whose result is known."""
        return self.nodes[-1]

    @property
    def operation(self) -> str:
        """Its name, such as ``conv2d``."""
        return self.node.operation

    @property
    def shape(self) -> tuple[int, ...]:
        """Event shape of the value that is looked for."""
        return self.graph.shape(self.source)

    def samples(self, y: Tensor) -> int:
        """Number of samples in the known value."""
        layout = self.graph.layout(self.target)
        return y.shape[0] if layout is None else layout.samples(y)

    @property
    def event(self) -> tuple[int, ...]:
        """Shape of one sample of the value that is looked for: its event shape, behind the folded entries.

        ``(1,)`` where there is one number a sample.
        """
        layout = self.graph.layout(self.source)
        if layout is None or layout.fold == 1:
            return self.shape or (1,)
        return (layout.fold, *self.shape)

    def to_samples(self, name: str, value: Tensor) -> Tensor:
        """A value of the graph with one row a sample, wherever the network holds them."""
        layout = self.graph.layout(name)
        return value if layout is None else column(layout.to_samples(value))

    def from_samples(self, name: str, rows: Tensor) -> Tensor:
        """The reverse of ``to_samples``."""
        layout = self.graph.layout(name)
        if layout is None:
            return rows
        bare = layout.fold == 1 and not self.graph.shape(name)
        return rows.reshape(-1) if bare else layout.from_samples(rows)

    def sizes(self, y: Tensor) -> tuple[int, ...]:
        """Full shape of the value that is looked for, the axis of the samples included."""
        layout = self.graph.layout(self.source)
        return (-1, *self.shape) if layout is None else layout.sizes(self.shape, self.samples(y))

    @property
    def operands(self) -> tuple[Any, ...]:
        """Positional operands of the last operation.

        Tensors and literals, UNKNOWN where one is looked for.
        """
        return substitute(self.node.args, self._resolve)

    @property
    def options(self) -> dict[str, Any]:
        """Keyword operands of the last operation."""
        return substitute(dict(self.node.kwargs), self._resolve)

    def operand(self, position: int, name: str, default: Any = None) -> Any:
        """An operand by position or keyword, or its default."""
        if position < len(self.node.args):
            return self.operands[position]
        return self.options.get(name, default)

    def _resolve(self, name: str) -> Any:
        if name == self.source:
            return UNKNOWN
        if name in self.values:
            return self.values[name]
        tensor = self.graph.tensor(name)
        if tensor is None and name in self.graph.by_name and not self.graph.is_data(name):
            known = {BATCH: self.values[BATCH]} if BATCH in self.values else {}
            return evaluate(self.graph, known, [name])[name]
        return tensor


RuleFunction = Callable[[Site, Tensor], Solved]
Promise = Guarantee | Callable[[Graph, Node], Guarantee]


@dataclass(frozen=True)
class Rule:
    """A registered inverse: the function and what it promises for a given node.

    It is pickled as a reference to the registry, as functions are to their modules.
    """

    name: str
    solve: RuleFunction
    promise: Promise
    target: str | type[nn.Module]

    def guarantee(self, graph: Graph, node: Node) -> Guarantee:
        """The promise for one node, decided from shapes and literals alone."""
        return self.promise if isinstance(self.promise, Guarantee) else self.promise(graph, node)

    def __reduce__(self) -> tuple[Any, ...]:
        return _registered, (self.target,)


def _registered(target: str | type[nn.Module]) -> Rule:
    found = _OPERATIONS.get(target) if isinstance(target, str) else _MODULES.get(target)
    if found is None:
        raise NotInvertibleError(f"no inverse is registered for {target!r}: register it before unpickling")
    return found


_OPERATIONS: dict[str, Rule] = {}
_MODULES: dict[type[nn.Module], Rule] = {}


def register_inverse(
    *targets: Any, guarantee: Promise = Guarantee.EXACT
) -> Callable[[RuleFunction], RuleFunction]:
    """Register the inverse of an operation or of a module class.

    The rule receives ``(site, y)`` and returns a ``Solved`` with the operand that was unknown, so that
    ``operation(x) = y``. The most specific module class wins; a later registration replaces an earlier one.

    Args:
        *targets: module classes, functions such as ``torch.cat``, ATen operations such as
            ``torch.ops.aten.relu``, or ATen names such as ``"relu"``.
        guarantee: what the rule promises, or a function ``(graph, node) -> Guarantee``.

    Returns:
        A decorator that returns the rule unchanged.

    Raises:
        TypeError: when the rule does not take two arguments, or a target is none of the above.

    Example:
        >>> import torch, preimage as pi
        >>> class Cube(torch.nn.Module):
        ...     def forward(self, x):
        ...         return x**3
        >>> @pi.register_inverse(Cube)
        ... def cube(site, y):
        ...     return pi.Solved(y.sign() * y.abs() ** (1 / 3))
        >>> pi.invert(Cube(), torch.ones(1, 2))(torch.tensor([[8.0, -27.0]]))
        tensor([[ 2., -3.]])
    """

    def register(function: RuleFunction) -> RuleFunction:
        wanted = len(inspect.signature(function).parameters)
        if wanted != 2:
            raise TypeError(f"a rule takes (site, y); {function!r} takes {wanted} arguments")
        for target in targets:
            _store(target, getattr(function, "__name__", str(target)), function, guarantee)
        return function

    return register


def _store(target: Any, name: str, function: RuleFunction, guarantee: Promise) -> None:
    if isinstance(target, type) and issubclass(target, nn.Module):
        _MODULES[target] = Rule(name, function, guarantee, target)
    else:
        operation = operation_name(target)
        _OPERATIONS[operation] = Rule(name, function, guarantee, operation)


def operation_name(target: Any) -> str:
    """ATen base name of a function, an ATen operation or a name."""
    if isinstance(target, str):
        return target
    if isinstance(target, torch._ops.OpOverload):
        return target._schema.name.split("::")[-1]
    if isinstance(target, torch._ops.OpOverloadPacket):
        return target._qualified_op_name.split("::")[-1]
    name = getattr(target, "__name__", None)
    if callable(target) and name:
        return name
    raise TypeError(
        f"cannot register an inverse for {target!r}: pass a module class, a function or an ATen name"
    )


def registered_rules() -> tuple[Rule, ...]:
    """All rules, for operations and for module classes."""
    return (*_OPERATIONS.values(), *_MODULES.values())


def operation_rule(operation: str) -> Rule | None:
    """The rule of an ATen operation."""
    return _OPERATIONS.get(operation)


def module_rule(module: nn.Module) -> Rule | None:
    """The rule of a module's class, or of its nearest registered base class."""
    return next((_MODULES[base] for base in type(module).__mro__ if base in _MODULES), None)
