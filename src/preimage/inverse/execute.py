"""Running a plan: forward steps, then regions backwards, collecting the evidence on the way."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.capture.interpret import BATCH, evaluate, samples_of
from preimage.certificate import Certificate, choose, join, relative_residual
from preimage.inverse.context import RuleContext
from preimage.inverse.packing import stacked
from preimage.inverse.planning.guarantee import CERTAIN, SURJECTIVE
from preimage.inverse.planning.plan import Compute, Plan
from preimage.inverse.planning.region import Region
from preimage.inverse.planning.search import whole
from preimage.inverse.registry import Solved
from preimage.inverse.step import begin_region, solve_region

BOUNDED = frozenset({"recorded", "folded"})
"""Kinds of regions whose rules use inequalities, which a solve of the whole would not."""

LITTLE = 20_000
"""Numbers in the remaining steps up to which they are taken one by one too, and the better answer is kept."""

SEVERAL = frozenset({"residual", "opaque"})
"""Kinds of regions that may have several solutions where each is locally the only one."""

DOUBT, ATTEMPTS = 1e-3, 3
"""Relative residual of a whole chain above which its blocks are reconsidered, and how many of them."""

SETTLED = 1e-6
"""Relative residual of a whole chain at which no block of it is searched any longer."""

UNTRUSTED = 0.1
"""Relative error that is assumed of a value that a lossy step has guessed."""


@dataclass
class Outcome:
    """What running a plan produced.

    Args:
        values: every known value by name.
        log_det: log abs det of d inputs / d known, ``(N,)``; None when a step has none.
        certificate: joined evidence of the steps; None when every step was a closed form without doubt.
        exact: fraction of the wanted numbers that are certain.
        steps: the regions that were inverted, with their answers.
    """

    values: dict[str, Any]
    log_det: Tensor | None = None
    certificate: Certificate | None = None
    exact: float = 1.0
    steps: list[tuple[Region, Solved]] = field(default_factory=list)


def execute(graph: Graph, plan: Plan, known: Mapping[str, Any], context: RuleContext) -> Outcome:
    """Run a plan from its known values to the network's inputs.

    A chain of layer-wise answers composes badly once one of them is a guess: it usually lies outside the
    range of the layer before, and each further inverse amplifies that. So where information was lost and
    layers of limited range remain, everything behind the last trusted value is solved as one equation, from
    the prior mean, by the change of least norm.

    A block may have several solutions, of which the layers before it can produce one. So before a long search
    for a block alone, it is solved together with what lies before it where that has fewer unknowns; and where
    the residual of the whole stays large, blocks that were solved are taken in again.

    Args:
        graph: the captured network.
        plan: the steps.
        known: the tensors that the plan starts from, ``(N, *event)`` each.
        context: prepared factorisations and priors.
    """
    return _Run(graph, plan, known, context).outcome()


class _Run:
    """The state of one execution."""

    def __init__(self, graph: Graph, plan: Plan, known: Mapping[str, Any], context: RuleContext) -> None:
        self.graph, self.plan, self.context = graph, plan, context
        self.values: dict[str, Any] = {**known, BATCH: samples_of(graph, known)}
        self.noise: dict[str, float] = dict.fromkeys(known, 0.0)
        self.steps: list[tuple[Region, Solved]] = []
        self.given = tuple(name for name in graph.inputs if name in known)
        self.rest: tuple[Compute | Region, ...] = ()
        self.chosen: Certificate | None = None
        self.joint: dict[int, _Run] = {}

    def outcome(self) -> Outcome:
        for position, step in enumerate(self.plan.steps):
            if isinstance(step, Compute):
                self._compute(step)
                continue
            begun = self._begun(step)
            if begun.more is not None and (found := self._settled(step, position)):
                return found._merged_outcome()
            self._keep(step, begun.finished())
            if self._should_merge(step, position):
                found = self._merged(step, position)
                return found._reconsidered(self._doubtful(position)) or found._merged_outcome()
        return self._reconsidered(self._doubtful(len(self.plan.steps))) or Outcome(
            self.values, self._log_det(), self._evidence(), self._exact(), self.steps
        )

    def _settled(self, step: Region, position: int) -> _Run | None:
        """The answer of one small equation for a block and what lies before it; None where none was solved.

        Asked before a long search for the block alone: fewer unknowns have fewer wrong solutions. Blocks that
        were solved already are taken in too, for theirs may have been a wrong one.
        """
        if len(self.plan.wanted) != 1:
            return None
        for place, block in ((position, step), *self._doubtful(position)):
            smaller = self.graph.size(self._first_real(place)) < self.graph.size(block.source)
            if smaller and bool((found := self._jointly(block, place))._residual().le(SETTLED).all()):
                return found
        return None

    def _jointly(self, step: Region, position: int) -> _Run:
        """This run with a step and what lies before it solved as one equation; done once for each step."""
        if position not in self.joint:
            self.joint[position] = self._copy(())
            self.joint[position]._merge(step, position)
        return self.joint[position]._copy(())

    def _merged(self, step: Region, position: int) -> _Run:
        """The rest of the plan as one equation; where that fails and the rest is short, step by step too."""
        found, stepwise = self._jointly(step, position), self._stepwise(position)
        if stepwise is not None and not found._is_solved():
            found._keep_better(stepwise)
        return found

    def _merged_outcome(self) -> Outcome:
        return Outcome(self.values, None, self._evidence(), 0.0, self.steps)

    def _reconsidered(self, doubtful: list[tuple[int, Region]]) -> Outcome | None:
        """A better answer where the layers before a block cannot produce what was found for it; else None.

        A block may have several solutions. Which one is meant, the layers before it tell: they are solved
        together with the block, the one nearest to the input first.

        Args:
            doubtful: places in the plan of the blocks that may have other solutions.
        """
        if not doubtful or not bool((self._residual() > DOUBT).any()):
            return None
        found: _Run = self
        for position, step in doubtful:
            trial = self._jointly(step, position)
            trial._keep_better(found)
            found = trial
            if not bool((found._residual() > DOUBT).any()):
                break
        return found._merged_outcome()

    def _doubtful(self, before: int) -> list[tuple[int, Region]]:
        """Places of the blocks that may have other solutions, nearest to the input first; a few.

        Args:
            before: only blocks whose place in the plan comes before this one.
        """
        regions = [(i, step) for i, step in enumerate(self.plan.steps) if isinstance(step, Region)]
        if len(self.plan.wanted) != 1 or all(step.guarantee in SURJECTIVE for _, step in regions):
            return []
        return [(i, step) for i, step in reversed(regions) if step.kind in SEVERAL and i < before][:ATTEMPTS]

    def _merge(self, step: Region, position: int) -> None:
        source = self._first_real(position)
        earlier = self.plan.steps[:position]
        self.steps = [pair for pair in self.steps if any(pair[0] is kept for kept in earlier)]
        self.chosen = None
        self._solve_the_rest(step, source)
        for late in self._after(source):
            self._take(late)

    def _stepwise(self, position: int) -> _Run | None:
        """This run before it is merged, to be finished step by step; None where that is much work."""
        rest = [step for step in self.plan.steps[position + 1 :] if isinstance(step, Region)]
        work = sum(self.graph.by_name[name].size for region in rest for name in region.nodes)
        if work > LITTLE:
            return None
        return self._copy(self.plan.steps[position + 1 :])

    def _copy(self, rest: tuple[Compute | Region, ...]) -> _Run:
        other = copy.copy(self)
        other.values, other.noise, other.steps = dict(self.values), dict(self.noise), list(self.steps)
        other.rest = rest
        return other

    def _is_solved(self) -> bool:
        certificate = self.steps[-1][1].certificate
        return certificate is not None and certificate.ok

    def _keep_better(self, other: _Run) -> None:
        """Of both answers keep, sample by sample, the one with the smaller residual."""
        for step in other.rest:
            other._take(step)
        better = other._residual() < self._residual()
        self.chosen = choose(better, other._evidence(), self._evidence())
        for name in self.plan.wanted:
            mine, theirs = self.values[name], other.values[name]
            self.values[name] = torch.where(better.view(-1, *[1] * (mine.dim() - 1)), theirs, mine)

    def _residual(self) -> Tensor:
        inputs = {name: self.values[name] for name in (*self.plan.wanted, *self.given)}
        known = {name: self.values[name] for name in self.plan.known}
        with torch.no_grad():
            again = evaluate(self.graph, inputs, known)
        return relative_residual(stacked(self.graph, again), stacked(self.graph, known)).nan_to_num(torch.inf)

    def _take(self, step: Compute | Region) -> None:
        if isinstance(step, Compute):
            self._compute(step)
        else:
            self._invert(step)

    def _first_real(self, position: int) -> str:
        """The value nearest to the input that a solver can look for: behind an embedding, its result."""
        rest = [step for step in self.plan.steps[position:] if isinstance(step, Region)]
        return next(r.source for r in reversed(rest) if self.graph.is_real(r.source))

    def _after(self, source: str) -> tuple[Compute | Region, ...]:
        """The steps of the plan that follow the one that finds a value."""
        steps = self.plan.steps
        places = [i for i, s in enumerate(steps) if isinstance(s, Region) and s.source == source]
        return steps[places[-1] + 1 :] if places else ()

    def _compute(self, step: Compute) -> None:
        self.values[step.name] = evaluate(self.graph, self.values, [step.name])[step.name]
        self.noise[step.name] = max(self.noise.get(name, 0.0) for name in step.reads)

    def _invert(self, region: Region) -> None:
        self._keep(region, self._begun(region).finished())

    def _begun(self, region: Region) -> Solved:
        return begin_region(self.graph, region, self.values, self._incoming(region), self.context)

    def _incoming(self, region: Region) -> float:
        return max((self.noise.get(name, 0.0) for name in (*region.targets, *region.reads)), default=0.0)

    def _keep(self, region: Region, solved: Solved) -> None:
        incoming = self._incoming(region)
        self.values[region.source] = solved.x
        self.noise[region.source] = incoming if solved.exact >= CERTAIN else max(incoming, UNTRUSTED)
        self.steps.append((region, solved))

    def _should_merge(self, region: Region, position: int) -> bool:
        """Whether a guess was made that the layers before it need not be able to produce."""
        if region.kind in BOUNDED and region.source in self.plan.wanted:
            return False  # nothing lies before it, and its inequalities would be lost
        rest = [r for r in self.plan.steps[position:] if isinstance(r, Region)]
        stays_right = all(r.guarantee in SURJECTIVE for r in rest)
        return self.noise[region.source] > 0.0 and not stays_right and len(self.plan.wanted) == 1

    def _solve_the_rest(self, lossy: Region, source: str) -> None:
        gate = len(lossy.targets) == 1 and self._is_gate(lossy.targets[0])
        targets = lossy.targets if gate else self.plan.known
        region = whole(self.graph, source, targets)
        trusted = {name: self.values[name] for name in (*self.plan.known, *targets)}
        solved = solve_region(self.graph, region, trusted, UNTRUSTED, self.context)
        self.values[region.source] = solved.x
        self.steps.append((region, solved))

    def _is_gate(self, name: str) -> bool:
        """Whether everything that the known values depend on passes through this one."""
        return all(name in self.graph.dominators[known] for known in self.plan.known)

    def _log_det(self) -> Tensor | None:
        parts = [solved.log_det for region, solved in self.steps if region.kind != "gather"]
        if not parts or any(part is None for part in parts):
            return None
        return torch.stack([part for part in parts if part is not None]).sum(0)

    def _evidence(self) -> Certificate | None:
        if self.chosen is not None:
            return self.chosen
        found = [solved.certificate for _, solved in self.steps if solved.certificate is not None]
        return join(found) if found else None

    def _exact(self) -> float:
        return min((solved.exact for _, solved in self.steps), default=1.0)
