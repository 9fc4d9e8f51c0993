"""Recompute a layer's autograd graph from its result: the step of memory-saving backpropagation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import get_device_states, set_device_states

from preimage.checks import as_tuple, unpack

Gradients = Sequence[Tensor | None]
Run = Callable[[Any, Any], tuple[Any, Tensor]]


class Randomness(NamedTuple):
    """The states of the random number generators that code on some tensors may use."""

    cpu: Tensor
    devices: list[int]
    states: list[Tensor]

    @classmethod
    def now(cls, tensors: Sequence[Tensor]) -> Randomness:
        """The current states, for the CPU and the devices of the tensors."""
        return cls(torch.get_rng_state(), *get_device_states(*tensors))

    def differs(self, other: Randomness) -> bool:
        """Whether random numbers were drawn between the two."""
        pairs = zip((self.cpu, *self.states), (other.cpu, *other.states), strict=True)
        return any(not torch.equal(mine, theirs) for mine, theirs in pairs)

    def restore(self) -> None:
        """Set the generators back."""
        torch.set_rng_state(self.cpu)
        set_device_states(self.devices, self.states)


class Rebuilt(NamedTuple):
    """A layer's run, recomputed with its graph.

    Args:
        x: the recomputed input, without a graph.
        outputs: the recomputed output with its graph, whole or in parts.
        log_det: the recomputed log_det ``(N,)``, with its graph.
        leaves: the tensors in which the graph begins; together they hold x.
        split: takes the gradient of the output apart, one for each of the outputs.
        join: puts the gradients of the leaves together to the gradient of x.
    """

    x: Any
    outputs: tuple[Tensor, ...]
    log_det: Tensor
    leaves: tuple[Tensor, ...]
    split: Callable[[Gradients], Gradients] = tuple
    join: Callable[[Gradients], Gradients] = tuple


def rebuild(run: Run, undo: Run, y: Any, context: Any) -> Rebuilt:
    """Undo a run without a graph, then run again with one, both with the same random numbers.

    Args:
        run: the direction that was run.
        undo: the other direction.
        y: the result of the run, one tensor or a tuple.
        context: its context.

    Cost: one run of either direction.
    """
    randomness = Randomness.now(as_tuple(y))
    with torch.no_grad():
        x = undo(y, context)[0]
    leaves = tuple(tensor.detach().requires_grad_() for tensor in as_tuple(x))
    randomness.restore()
    with torch.enable_grad():
        again, log_det = run(unpack(leaves), context)
    return Rebuilt(x, as_tuple(again), log_det, leaves)
