"""f(x) = y as the solvers see it: one unknown tensor, one wanted tensor, a row a sample."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.capture.interpret import evaluate
from preimage.capture.taps import TapLike
from preimage.errors import NotInvertibleError, ShapeError
from preimage.inverse.checks import check_values
from preimage.inverse.equation import Equation, open_ended
from preimage.inverse.packing import Packing, any_batch, stacked
from preimage.inverse.preimages.search.reach import Reach
from preimage.inverse.preimages.search.splitting import Cut, cut_at_functions
from preimage.inverse.preimages.targets import Target
from preimage.inverse.solvers.nonlinear.allowed import Allowed, Everywhere
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.metric import Metric
from preimage.inverse.values import Values, bare, several

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot

Wanted = Values | Target
"""Values at the tap, or a description of what the answer shall look like."""


@final
class Question:
    """Which x does the network map to y?

    Args:
        inverse: of the network.
        y: values at the tap ``(N, *event)``, or a target.
        tap: label, value or module path; the network's output by default.

    Raises:
        ShapeError, NonFiniteError: for values that the tap cannot have.
        NotInvertibleError: when the inputs are whole numbers, between which there is nothing to search.
    """

    def __init__(self, inverse: OneShot, y: Wanted, tap: str | TapLike | None = None) -> None:
        graph = inverse.graph
        if graph.whole:
            raise NotInvertibleError(
                f"the inputs {sorted(graph.whole)} hold whole numbers, and between those there is nothing to"
                " search: start behind the embedding, or use inverse.data_free"
            )
        self.inverse, self.tap, self.target = inverse, tap, y if isinstance(y, Target) else None
        self.values = _full(inverse, y, tap) if isinstance(y, Target) else y
        known = inverse.known(self.values, tap)
        check_values(graph, inverse.network, known)
        self.packing = Packing(graph)

        self.names = tuple(known)
        self.f: Callable[[Tensor], Tensor] = self._map(graph)
        values = stacked(graph, known).detach()
        self.wanted = values if self.target is None else self.target.wanted.to(values)

    def _map(self, graph: Graph) -> Callable[[Tensor], Tensor]:
        if self.target is not None:
            return self._seen(any_batch(graph, lambda x: self._outputs(graph, x)))
        outputs, low, high = open_ended(graph, self.names)
        return Equation(any_batch(graph, lambda x: outputs(self.packing.unpack(x))), low, high)

    def _outputs(self, graph: Graph, x: Tensor) -> Tensor:
        return stacked(graph, evaluate(graph, self.packing.unpack(x), self.names))

    def _seen(self, f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        target = self.target
        return f if target is None else lambda x: target.see(f(x))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the unknown of one sample."""
        shapes = self.packing.shapes
        return shapes[0] if len(shapes) == 1 else (sum(torch.Size(shape).numel() for shape in shapes),)

    def zeros(self) -> Tensor:
        """The zero input, ``(N, *shape)``."""
        return self.wanted.new_zeros(len(self.wanted), *self.shape)

    def pack(self, x: Values, what: str) -> Tensor:
        """The user's inputs as the unknown; one row is repeated for every sample.

        Args:
            x: inputs.
            what: their name in a message.
        """
        packed = self.packing.pack(x).detach().to(self.wanted)
        if packed.dim() != len(self.shape) + 1 or packed.shape[1:] != self.shape:
            raise ShapeError(
                f"{what}: got {[tuple(v.shape) for v in several(x)]}; inputs (N, *{self.shape}) were wanted"
            )
        if len(packed) not in (1, len(self.wanted)):
            raise ShapeError(
                f"{what}: got {len(packed)} samples for {len(self.wanted)} answers; one row, or as many as"
                " answers, were wanted"
            )
        return packed.expand(len(self.wanted), *self.shape).clone()

    def unpack(self, x: Tensor) -> Values:
        """The unknown as inputs of the network."""
        return bare(tuple(self.packing.unpack(x).values()))

    @cached_property
    def guess(self) -> Tensor | None:
        """The inverse's own first guess; None where that is a search too."""
        if self.inverse.plan(self.tap).is_joint:
            return None
        return self.pack(self.inverse.first_guess(self.values, self.tap), "guess")

    @cached_property
    def cut(self) -> Cut | None:
        """The network cut at its elementwise functions; None where that is not possible."""
        return cut_at_functions(self.inverse.graph, self.names, self._seen(lambda y: y), self.wanted)

    def reach(self, effort: Effort, metric: Metric | None = None, allowed: Allowed | None = None) -> Reach:
        """How to get from a start to an answer."""
        allowed = allowed or Everywhere()
        return Reach(self.f, effort, metric, allowed, lambda: self.guess, lambda: self.cut)

    def start(self, given: Values | None) -> Tensor:
        """Where to begin: what the user gave, else the first guess of the inverse."""
        return self.pack(self.inverse.first_guess(self.values, self.tap) if given is None else given, "start")


def _full(inverse: OneShot, target: Target, tap: str | TapLike | None) -> Tensor:
    """Outputs that have what is wanted, in the precision of the network."""
    names = inverse.graph.outputs if tap is None else (inverse.node(tap),)
    if len(names) != 1:
        raise NotInvertibleError(
            f"a target speaks of one output; the network has {len(names)}: name one as tap="
        )
    like = next((p for p in inverse.network.parameters() if p.is_floating_point()), target.wanted)
    return target.example(inverse.graph.shape(names[0])).to(like)
