"""Running a plan: forward steps, then regions backwards, collecting the evidence on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.capture.interpret import BATCH, evaluate
from preimage.certificate import Certificate, join
from preimage.inverse.context import RuleContext
from preimage.inverse.plan import Compute, Plan
from preimage.inverse.region import Region
from preimage.inverse.registry import Site, Solved

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
    """

    values: dict[str, Any]
    log_det: Tensor | None
    certificate: Certificate | None
    exact: float
    steps: list[tuple[Region, Solved]] = field(default_factory=list)


def execute(graph: Graph, plan: Plan, known: Mapping[str, Any], context: RuleContext) -> Outcome:
    """Run a plan from its known values to the network's inputs.

    Args:
        graph: the captured network.
        plan: the steps.
        known: the tensors that the plan starts from, ``(N, *event)`` each.
        context: prepared factorisations and priors.
    """
    values: dict[str, Any] = dict(known)
    values[BATCH] = next(iter(known.values())).shape[0]
    noise: dict[str, float] = dict.fromkeys(known, 0.0)
    steps: list[tuple[Region, Solved]] = []
    for step in plan.steps:
        if isinstance(step, Compute):
            values[step.name] = evaluate(graph, values, [step.name])[step.name]
            noise[step.name] = max(noise.get(name, 0.0) for name in step.reads)
        else:
            incoming = max((noise.get(name, 0.0) for name in (*step.targets, *step.reads)), default=0.0)
            solved = solve_region(graph, step, values, incoming, context)
            noise[step.source] = incoming if solved.exact >= 1.0 else max(incoming, UNTRUSTED)
            values[step.source] = solved.x
            steps.append((step, solved))
    return Outcome(values, _log_det(steps), _evidence(steps), _exact(steps), steps)


def solve_region(
    graph: Graph, region: Region, values: Mapping[str, Any], noise: float, context: RuleContext
) -> Solved:
    """Invert one region, given the values of its targets and of what it reads.

    Args:
        graph: the captured network.
        region: the step.
        values: known values by name.
        noise: relative error that the targets are believed to carry.
        context: prepared factorisations and priors.
    """
    if region.kind == "gather":
        return Solved([values[name] for name in region.targets])  # type: ignore[arg-type]
    return region.rule.solve(_site(graph, region, values, noise, context), _target(region, values))


def _site(
    graph: Graph, region: Region, values: Mapping[str, Any], noise: float, context: RuleContext
) -> Site:
    nodes = tuple(graph.by_name[name] for name in region.nodes)
    module = context.module(region)
    return Site(
        graph, nodes, region.source, region.targets[-1], values, noise, module, region.targets, context
    )


def _target(region: Region, values: Mapping[str, Any]) -> Any:
    if len(region.targets) == 1:
        return values[region.targets[0]]
    return torch.cat([values[name].flatten(1) for name in region.targets], 1)


def _log_det(steps: list[tuple[Region, Solved]]) -> Tensor | None:
    parts = [solved.log_det for region, solved in steps if region.kind != "gather"]
    if not parts or any(part is None for part in parts):
        return None
    return torch.stack([part for part in parts if part is not None]).sum(0)


def _evidence(steps: list[tuple[Region, Solved]]) -> Certificate | None:
    found = [solved.certificate for _, solved in steps if solved.certificate is not None]
    return join(found) if found else None


def _exact(steps: list[tuple[Region, Solved]]) -> float:
    return min((solved.exact for _, solved in steps), default=1.0)
