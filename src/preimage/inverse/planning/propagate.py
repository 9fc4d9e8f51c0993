"""Best-first propagation of what is known, from the network's outputs towards its inputs."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from preimage.capture.graph import Graph, Node
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.region import Region
from preimage.inverse.planning.search import (
    assembled,
    candidates,
    enclosing,
    gathered,
    module_exits,
    selected_from,
)


@final
@dataclass(frozen=True)
class Compute:
    """A forward step: the value is a function of known ones."""

    name: str
    reads: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} := forward({', '.join(self.reads)})"


Step = Compute | Region


@final
class Propagation:
    """The search for steps that lead from known values to wanted ones.

    Whenever a value becomes known, only the regions that it can have changed are looked for again: those that
    end in it or in an operation that reads it, and those that run through it.

    Args:
        graph: the captured network.
        known: names of the values to start from.
        wanted: names of the values to reach.
        relevant: names of the values that are worth computing forward.
    """

    def __init__(
        self, graph: Graph, known: Iterable[str], wanted: tuple[str, ...], relevant: set[str]
    ) -> None:
        self.graph, self.wanted, self.relevant = graph, wanted, relevant
        self.known: dict[str, None] = {}
        self.steps: list[Step] = []
        self._regions: dict[str, tuple[Region, ...]] = {}
        self._through: dict[str, set[str]] = {}
        self._queue: list[tuple[int, int, int, str, Region]] = []
        self._count = 0
        self._modules = module_exits(graph)
        self._learn(known)

    def run(self) -> list[Step]:
        """The steps; none when only all inputs together can be solved for."""
        while not all(name in self.known for name in self.wanted):
            region = self._best()
            if region is None:
                return []
            self.steps.append(region)
            self._learn([region.source])
        return self.steps

    def _learn(self, names: Iterable[str]) -> None:
        """Make values known, and whatever follows from them by running the network forward."""
        waiting = list(dict.fromkeys(names))
        for name in waiting:
            self.known[name] = None
            for node in self.graph.consumers[name]:
                if self._follows(node) and node.name not in waiting:
                    self.steps.append(Compute(node.name, node.inputs))
                    waiting.append(node.name)
        for target in self._affected(waiting):
            self._look(target)

    def _follows(self, node: Node) -> bool:
        unknown = node.name in self.relevant and node.name not in self.known
        return unknown and all(operand in self.known for operand in node.inputs)

    def _affected(self, learnt: list[str]) -> set[str]:
        """Values whose regions may have changed."""
        found = {name for name in self._modules if name in self.known}
        for name in learnt:
            found.add(name)
            found.update(node.name for node in self.graph.consumers[name] if node.name in self.known)
            found.update(self._through.get(name, ()))
            node = self.graph.by_name.get(name)
            found.update(selected_from(self.graph, name))
            if node is not None and node.operation == "getitem":
                found.update(node.inputs)  # the split that it is a part of
        return found

    def _look(self, target: str) -> None:
        """Find the regions that end in a value, or gather it from its parts."""
        self._regions[target] = tuple(self._found(target))
        for region in self._regions[target]:
            rank, latest = self._preference(region)
            self._count += 1  # of two alike, the one found first
            heapq.heappush(self._queue, (rank, latest, self._count, target, region))
            for name in region.nodes:
                self._through.setdefault(name, set()).add(target)

    def _found(self, target: str) -> Iterator[Region]:
        if target in self.known:
            yield from candidates(self.graph, target, self.known)
        elif target in self.graph.by_name and self.graph.by_name[target].parts:
            yield from gathered(self.graph, target, self.known)
        else:
            yield from assembled(self.graph, target, self.known)

    def _preference(self, region: Region) -> tuple[int, int]:
        latest = max(self.graph.order[name] for name in region.targets)
        return region.guarantee.rank, -latest

    def _best(self) -> Region | None:
        """The strongest region; the enclosing one only where it could be stronger than what was found."""
        while self._queue and not self._is_current(*self._queue[0][3:]):
            heapq.heappop(self._queue)
        found = self._queue[0][4] if self._queue else None
        if found is not None and found.guarantee.rank < Guarantee.ITERATIVE.rank:
            return found
        fallback = enclosing(self.graph, tuple(self._frontier()), self.known)
        options = [region for region in (found, fallback) if region is not None]
        return min(options, key=self._preference, default=None)

    def _is_current(self, target: str, region: Region) -> bool:
        return region.source not in self.known and any(region is r for r in self._regions[target])

    def _frontier(self) -> Iterator[str]:
        """Known values with at least one unknown operand: where propagation may be stuck."""
        for name in self.known:
            node = self.graph.by_name.get(name)
            if node is not None and any(operand not in self.known for operand in node.inputs):
                yield name
