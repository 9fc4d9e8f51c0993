"""Which values of a network everything has to pass through."""

from __future__ import annotations

from collections.abc import Iterable

from preimage.capture.graph import Graph


def is_bottleneck(graph: Graph, values: Iterable[str], wanted: Iterable[str], known: Iterable[str]) -> bool:
    """Whether every path from the wanted to the known values leads through one of the given values.

    What one of two branches forgets, the other may still know; what a bottleneck forgets is lost.

    Args:
        graph: the captured network.
        values: names of the values that are looked at.
        wanted, known: names of the values where the paths begin and end.

    Cost:
        One walk over the graph.
    """
    passed, goal = set(values), set(wanted)
    waiting = [name for name in known if name not in passed]
    while waiting:
        name = waiting.pop()
        if name in goal:
            return False
        passed.add(name)
        node = graph.by_name.get(name)
        waiting.extend(other for other in (node.inputs if node else ()) if other not in passed)
    return True
