"""Which module of a network has a registered rule of its own, and where it stands in the graph."""

from __future__ import annotations

from torch import nn

from preimage.bijection import Bijection
from preimage.capture.graph import Graph, Node
from preimage.capture.taps import called_path
from preimage.inverse.registry import Rule, module_rule


def module_at(graph: Graph, path: str) -> nn.Module | None:
    """The module that a node ran in; None where the network no longer has it, as behind ``torch.export``."""
    try:
        return graph.module.get_submodule(called_path(path))
    except AttributeError:
        return None


def rule_at(graph: Graph, path: str) -> Rule | None:
    """The rule of the module at a path; None where it has none, or where it would not be enough.

    Bijections that take a context are taken operation by operation: which value is the context cannot be read
    from the graph.
    """
    module = module_at(graph, path)
    rule = None if module is None else module_rule(module)
    unread = isinstance(module, Bijection) and module.context_domain is not None
    return None if rule is not None and unread and rule.target is Bijection else rule


def exits(graph: Graph, path: str) -> tuple[str, ...]:
    """The values that leave one call of a module: read outside it, or returned by the network."""
    nodes = [node for node in graph.nodes if path in node.stack]
    inside = {node.name for node in nodes}

    def leaves(name: str) -> bool:
        return name in graph.outputs or any(reader.name not in inside for reader in graph.consumers[name])

    return tuple(node.name for node in nodes if node.inputs and leaves(node.name))


def operations_of(graph: Graph, path: str, value: str) -> tuple[Node, ...]:
    """The operations on data in one call of a module that a value needs; what nobody reads is left out."""
    needed, found = {value}, []
    for node in reversed(graph.nodes):
        if node.name in needed and node.inputs and path in node.stack:
            needed.update(node.inputs)
            found.append(node)
    return tuple(reversed(found))
