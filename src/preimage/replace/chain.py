"""The network run backwards through replacements: one stage after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from preimage.capture.graph import Graph
from preimage.certificate import Certificate, OnError, enforce
from preimage.inverse.residual import certify
from preimage.replace.comparison import Comparison
from preimage.replace.stage import Stage


@final
class ReplacedInverse(nn.Module):
    """An inverse made of stages, from one value of a network back to its input.

    Made by :func:`~preimage.replace.fit_replacements`. The network itself is not part of this module: saving,
    moving or training it leaves the network alone.

    Args:
        graph: the captured network.
        names: the values from the start back to the input; one more than stages.
        stages: the steps, in the order in which they run.
        labels: of the stages, for people.
    """

    def __init__(
        self, graph: Graph, names: Sequence[str], stages: Sequence[Stage], labels: Sequence[str]
    ) -> None:
        super().__init__()
        self.graph, self.names, self.labels = graph, tuple(names), tuple(labels)
        self.stages = nn.ModuleList(stages)
        self.table = Comparison(())
        """Errors before and after training, on data that were held out."""

    def forward(self, y: Tensor, on_error: OnError | None = None) -> Tensor:
        """The estimate of the input ``(N, *event)`` from values ``(N, *tap)``.

        Args:
            y: values where the chain starts.
            on_error: what to do with samples whose residual is above 1e-3: ``"raise"``, ``"warn"`` or
                ``"nan"``; None returns the answer as it is.
        """
        x = self.steps(y)[-1]
        return x if on_error is None else enforce(x, self.certify(x, y), on_error, "ReplacedInverse")

    def steps(self, y: Tensor) -> list[Tensor]:
        """The estimates of all values on the way, the input last."""
        values = []
        for stage in self.stages:
            y = stage(y)
            values.append(y)
        return values

    def answer(self, y: Tensor) -> tuple[Tensor, Certificate]:
        """The estimate with its residual ``|f(x) - y| / |y|``, from one forward pass of the network."""
        with torch.no_grad():
            x = self(y)
        return x, self.certify(x, y)

    def certify(self, x: Tensor, y: Tensor) -> Certificate:
        """The evidence for an answer x."""
        return certify(self.graph, {self.graph.inputs[0]: x}, {self.names[0]: y}, None, 1e-3)

    def report(self) -> str:
        """One line a stage: the value it finds, from which, by what."""
        lines = []
        for label, stage, source in zip(self.labels, self._each(), self.names[1:], strict=True):
            learnt = "" if stage.corrector is None else ", learnt correction"
            exact = "" if stage.nearest is None else ", maps to y exactly"
            lines.append(f"{source} <- {label}: {type(stage.base).__name__}{learnt}{exact}")
        return "\n".join(lines)

    def _each(self) -> list[Stage]:
        return [stage for stage in self.stages if isinstance(stage, Stage)]
