"""One step of a chain of replacements: from one value of the network back to an earlier one."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from preimage.capture.graph import Graph
from preimage.capture.interpret import evaluate
from preimage.inverse.context import RuleContext
from preimage.inverse.execute import execute
from preimage.inverse.measured import measured
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.plan import Plan, plan
from preimage.replace.corrector import Corrector

CLOSED = frozenset({Guarantee.EXACT, Guarantee.LEFT, Guarantee.RIGHT})
"""Promises of rules that are one formula, cheap enough to stand inside a network in training."""


@final
class Segment:
    """The part of a captured network between two values, and its own rule backwards.

    Args:
        graph: the captured network.
        source: the earlier value.
        target: the later value; everything from the source to it passes through both.
        context: prepared factorisations.
    """

    def __init__(self, graph: Graph, source: str, target: str, context: RuleContext) -> None:
        self.graph, self.source, self.target, self.context = graph, source, target, context
        self.plan: Plan = measured(graph, plan(graph, (target,), (source,)), context)

    @property
    def guarantee(self) -> Guarantee:
        """What the rule promises."""
        return self.plan.guarantee

    @property
    def has_formula(self) -> bool:
        """Whether the rule is one closed form."""
        return self.guarantee in CLOSED and not self.plan.is_joint

    @property
    def is_onto(self) -> bool:
        """Whether the segment is affine and reaches every target: estimates can be made consistent."""
        regions = self.plan.regions
        return self.guarantee is Guarantee.RIGHT and all(region.kind == "affine" for region in regions)

    def run(self, x: Tensor) -> Tensor:
        """The later value from the earlier one."""
        return evaluate(self.graph, {self.source: x}, [self.target])[self.target]

    def rule(self, y: Tensor) -> Tensor:
        """The network's own inverse from the later value to the earlier one."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and y.requires_grad):
            return execute(self.graph, self.plan, {self.target: y}, self.context).values[self.source]

    def consistent(self, x: Tensor, y: Tensor) -> Tensor:
        """The x nearest to an estimate that the segment maps to y, ``x + A+ (y - A x)``."""
        return x + self.rule(y) - self.rule(self.run(x))


@final
class Rule(nn.Module):
    """The network's own inverse of a segment, as it is.

    Args:
        segment: the part of the network.
    """

    def __init__(self, segment: Segment) -> None:
        super().__init__()
        self.segment = segment

    def forward(self, y: Tensor) -> Tensor:
        """The rule."""
        return self.segment.rule(y)


@final
class Stage(nn.Module):
    """A replacement for the inverse of a segment: a closed form, a learnt correction, and consistency.

    Where the segment is affine and onto, such as an average pool, the answer is moved to the nearest one that
    the segment maps to y: the pool of the estimate is y, and the estimate only comes closer to the truth.

    Args:
        base: the closed form.
        corrector: the learnt part, which starts as nothing; None for an exact step.
        nearest: from an estimate and y to the consistent estimate; None to leave it.
    """

    def __init__(
        self,
        base: nn.Module,
        corrector: Corrector | None = None,
        nearest: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.base, self.corrector, self.nearest = base, corrector, nearest

    def forward(self, y: Tensor) -> Tensor:
        """The estimate ``(N, *source)`` from ``y (N, *target)``."""
        x = self.base(y)
        if self.corrector is not None:
            x = x + self.corrector(y, x)
        return x if self.nearest is None else self.nearest(x, y)
