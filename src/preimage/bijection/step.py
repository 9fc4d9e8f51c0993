"""One layer of a chain as a step, and how a chain walks through its steps."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from preimage.checks import Context
from preimage.rebuild import Rebuilt

if TYPE_CHECKING:
    from preimage.bijection.contract import Bijection

Direction = Callable[[Any, Context], tuple[Any, Tensor]]
Rebuild = Callable[[Any, Context], Rebuilt]


class Step(NamedTuple):
    """One layer of a chain, seen in the direction in which the chain runs."""

    run: Direction
    rebuild: Rebuild
    layer: Bijection

    def context(self, context: Context) -> Context:
        """The context, for layers that take one."""
        return None if self.layer.context_domain is None else context


class ChainRunner(abc.ABC):
    """How a chain walks through its layers, and with it what the backward pass keeps in memory."""

    @abc.abstractmethod
    def run(self, steps: Sequence[Step], x: Any, context: Context) -> tuple[Any, Tensor]:
        """Run one or more steps in order and add up their log_dets ``(N,)``."""


class AutogradRunner(ChainRunner):
    """One step after the other; autograd keeps every intermediate value."""

    def run(self, steps: Sequence[Step], x: Any, context: Context) -> tuple[Any, Tensor]:
        """Run one or more steps in order and add up their log_dets ``(N,)``."""
        x, total = steps[0].run(x, steps[0].context(context))
        for step in steps[1:]:
            x, log_det = step.run(x, step.context(context))
            total = total + log_det
        return x, total


def _reversible() -> ChainRunner:
    from preimage.reversible import ReversibleRunner  # heavier; loaded when it is named

    return ReversibleRunner()


MEMORY: dict[str, Callable[[], ChainRunner]] = {"autograd": AutogradRunner, "reversible": _reversible}
"""What ``Chain(memory=...)`` may name; further runners register themselves here."""


def runner(memory: str | ChainRunner) -> ChainRunner:
    """The runner that a word names, or the given one."""
    if isinstance(memory, ChainRunner):
        return memory
    if memory not in MEMORY:
        raise ValueError(f"Chain: memory is {memory!r}, wanted one of {', '.join(map(repr, MEMORY))}")
    return MEMORY[memory]()
