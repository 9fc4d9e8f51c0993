"""Naming a value inside a network: by node, by module path, or by the activation that follows a module."""

from __future__ import annotations

import difflib
from typing import Protocol, runtime_checkable

from torch import nn

from preimage.capture.graph import Graph, Node
from preimage.errors import UnknownTapError


@runtime_checkable
class TapLike(Protocol):
    """Anything with a module path and a word saying which of the two values is meant."""

    @property
    def path(self) -> str:
        """Dotted module path."""
        ...

    @property
    def at(self) -> str:
        """``"output"`` of the module or the ``"activation"`` applied to it next."""
        ...


def resolve_tap(graph: Graph, tap: str | TapLike | nn.Module) -> str:
    """The name of the value that a tap describes.

    Args:
        graph: the captured network.
        tap: a value name of the graph, a module path, the module itself, or an object with ``path`` and
            ``at``.

    Returns:
        The value's name in the graph.

    Raises:
        UnknownTapError: when there is no such value (the nearest names are suggested), or when a module is
            called several times and the path alone does not say which call is meant.
    """
    if isinstance(tap, str):
        return _by_name(graph, tap)
    if isinstance(tap, nn.Module):
        return _by_name(graph, path_of(graph, tap))
    if isinstance(tap, type) or not isinstance(tap, TapLike):
        raise UnknownTapError(
            f"the tap is {tap!r}; a name, a module path or a module of the network was wanted, such as"
            f" {_paths(graph)[:3]}"
        )
    name = _by_name(graph, tap.path)
    return _activation_after(graph, name) if tap.at == "activation" else name


def path_of(graph: Graph, module: nn.Module) -> str:
    """Where a module stands in the network.

    Raises:
        UnknownTapError: when it is no part of the network.
    """
    path = next((path for path, part in graph.module.named_modules() if part is module), None)
    if path is None:
        raise UnknownTapError(
            f"{type(module).__name__} is given as tap, but this object is no part of the network (nor is a"
            f" copy); its modules are {_paths(graph)[:8]}"
        )
    return path or graph.outputs[0]


def _paths(graph: Graph) -> list[str]:
    return sorted({called_path(path) for node in graph.nodes for path in node.stack if path})


def _by_name(graph: Graph, name: str) -> str:
    if name in graph.order and graph.is_data(name):
        return name
    exits = _exits(graph, name)
    if not exits:
        _unknown(graph, name)
    if len(exits) > 1:
        raise UnknownTapError(
            f"module {name!r} has {len(exits)} outputs: it is called several times or returns several"
            f" tensors. Name one value: {', '.join(node.name for node in exits)}"
        )
    return exits[0].name


def _exits(graph: Graph, path: str) -> list[Node]:
    """Values that leave a module: read outside it, or returned by the network."""
    inside = [node for node in graph.nodes if path and path in map(called_path, node.stack)]
    names = {node.name for node in inside}

    def leaves(node: Node) -> bool:
        readers = graph.consumers[node.name]
        return node.name in graph.outputs or any(reader.name not in names for reader in readers)

    return [node for node in inside if graph.is_data(node.name) and not node.parts and leaves(node)]


def called_path(path: str) -> str:
    """Module path without the marker that capture adds for repeated calls."""
    return path.split("@", maxsplit=1)[0]


def _activation_after(graph: Graph, name: str) -> str:
    following = [n for n in graph.consumers[name] if n.shape == graph.shape(name) and len(n.inputs) == 1]
    if len(following) != 1:
        raise UnknownTapError(f"{name!r} is not followed by one activation; tap its output instead")
    return following[0].name


def _unknown(graph: Graph, name: str) -> None:
    known = [*(n for n in graph.order if graph.is_data(n)), *_paths(graph)]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[-3:]
    raise UnknownTapError(
        f"no tap {name!r} in the network; a value or module path was wanted, such as {near}"
    )
