"""From known values back to the input: which regions to invert, in which order. Pure data, no tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace

from preimage.capture.graph import Graph
from preimage.errors import NotInvertibleError
from preimage.inverse.planning.guarantee import Guarantee, weakest
from preimage.inverse.planning.propagate import Compute, Propagation, Step
from preimage.inverse.planning.region import Region

__all__ = ["Compute", "Plan", "Region", "Step", "plan"]


@dataclass(frozen=True)
class Plan:
    """The steps that lead from known values to the network's inputs.

    Args:
        known: the values it starts from.
        wanted: the values it ends with.
        steps: in the order in which they run.
        guarantee: what the whole chain promises.
        known_size, wanted_size: numbers per sample given and looked for.
    """

    known: tuple[str, ...]
    wanted: tuple[str, ...]
    steps: tuple[Step, ...]
    guarantee: Guarantee
    known_size: int
    wanted_size: int

    @property
    def is_joint(self) -> bool:
        """Whether no order of steps leads back, so that all inputs must be solved for together."""
        return not self.steps and not set(self.wanted) <= set(self.known)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The backward steps."""
        return tuple(step for step in self.steps if isinstance(step, Region))

    def __str__(self) -> str:
        sizes = f"{self.known_size} numbers known, {self.wanted_size} wanted"
        return "\n".join([f"{self.guarantee.value}: {sizes}", *(f"  {step}" for step in self.steps)])


def plan(
    graph: Graph,
    known: tuple[str, ...],
    wanted: tuple[str, ...] | None = None,
    given: tuple[str, ...] = (),
) -> Plan:
    """Find the way back: values are propagated, exact steps before iterative before lossy ones, then pruned.

    Args:
        graph: the captured network.
        known: names of the values to start from.
        wanted: names of the values to reach; the network's inputs by default.
        given: names of values that are known beforehand and not counted: conditioning inputs.

    Returns:
        The plan; its promises are those of shapes alone. A map such as ``cat([x, 2 x])`` is a left inverse,
        not a bijection: values are counted.

    Raises:
        NotInvertibleError: when a wanted value has no influence on the known ones.

    Cost:
        Quadratic in the number of operations at worst; 0.1 s for 200.

    Example:
        >>> import torch
        >>> from preimage.capture import capture
        >>> graph = capture(torch.nn.Linear(3, 2), torch.zeros(1, 3))
        >>> plan(graph, graph.outputs).guarantee
        <Guarantee.RIGHT: 'right'>
    """
    wanted = tuple(name for name in graph.inputs if name not in given) if wanted is None else wanted
    _check_influence(graph, known, wanted)
    steps = Propagation(graph, (*known, *given), wanted, _ancestors(graph, known)).run()
    pruned = _prune(steps, wanted)
    counted = [name for name in known if not graph.holds_places(name)]
    sizes = sum(map(graph.size, counted)), sum(map(graph.size, wanted))
    found = Plan(known, wanted, pruned, Guarantee.OPAQUE, *sizes)
    return found if found.is_joint else replace(found, guarantee=overall(graph, found))


def _check_influence(graph: Graph, known: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    ancestors = _ancestors(graph, known)
    lost = [name for name in wanted if name not in ancestors]
    if lost:
        raise NotInvertibleError(
            f"{lost} has no influence on {list(known)}: nothing can be said about it. Start from another tap"
        )


def _ancestors(graph: Graph, names: tuple[str, ...]) -> set[str]:
    found = set(names)
    for node in reversed(graph.nodes):
        if node.name in found:
            found.update(node.inputs)
    return found


def _prune(steps: list[Step], wanted: tuple[str, ...]) -> tuple[Step, ...]:
    """Drop the steps that nobody needs."""
    needed, kept = set(wanted), []
    for step in reversed(steps):
        made = step.name if isinstance(step, Compute) else step.source
        if made in needed:
            kept.append(step)
            needed.update(step.reads if isinstance(step, Compute) else (*step.targets, *step.reads))
    return tuple(reversed(kept))


def overall(graph: Graph, found: Plan) -> Guarantee:
    """The promise of the chain, with the numbers counted: a bijection neither drops nor invents any."""
    promise = weakest(region.guarantee for region in found.regions)
    if promise is Guarantee.EXACT and found.known_size != found.wanted_size:
        return Guarantee.LEFT if found.known_size > found.wanted_size else Guarantee.RIGHT
    used = {name for region in found.regions for name in region.targets} | set(graph.inputs)
    if promise is Guarantee.EXACT and not set(found.known) <= used:
        return Guarantee.LEFT
    return promise
