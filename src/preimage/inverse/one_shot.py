"""A network run backwards in one pass: exact steps, least squares, calibrated decoders, no search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from preimage.capture.graph import Graph
from preimage.capture.interpret import evaluate, samples_of
from preimage.capture.taps import TapLike, resolve_tap
from preimage.certificate import Certificate, OnError, enforce
from preimage.errors import NotInvertibleError, ShapeError
from preimage.inverse.calibrate import Decoder
from preimage.inverse.checks import check_values
from preimage.inverse.context import RuleContext
from preimage.inverse.entry import entry
from preimage.inverse.execute import Outcome, execute
from preimage.inverse.measured import measured
from preimage.inverse.packing import sample_rows
from preimage.inverse.planning.plan import Plan, plan
from preimage.inverse.residual import certify
from preimage.inverse.values import Values, bare, several


class OneShot(nn.Module, ABC):
    """What an inverse can answer without a search, and the evidence for it.

    The parameters are shared with the network.

    Args:
        graph: the captured network.
        taps: label -> name of a value in the graph, in depth order.
        decoders: label -> calibrated decoder; empty for a data-free inverse.
        example: inputs on which the report measures both round trips; standard normal ones where it is
            constant.
    """

    def __init__(
        self,
        graph: Graph,
        taps: Mapping[str, str],
        decoders: Mapping[str, Decoder] | None = None,
        example: tuple[Tensor, ...] = (),
    ) -> None:
        super().__init__()
        self.graph = graph
        self.network = graph.module
        self.context = RuleContext(graph)
        self._taps = dict(taps)
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._decoders = dict(decoders or {})
        self._example = tuple(value.detach().clone() for value in example)

    @property
    def taps(self) -> tuple[str, ...]:
        """Labels of the values from which an inversion usually starts, shallow to deep."""
        return tuple(self._taps)

    @property
    def is_calibrated(self) -> bool:
        """Whether pictures or other data were given."""
        return bool(self._decoders)

    def node(self, tap: str | TapLike | None) -> str:
        """Name of the value that a tap means: a label, a value of the graph or a module path."""
        if tap is None:
            if len(self.graph.outputs) != 1:
                raise NotInvertibleError(
                    f"the network has {len(self.graph.outputs)} outputs; name one as tap="
                )
            return self.graph.outputs[0]
        return self._taps[tap] if isinstance(tap, str) and tap in self._taps else resolve_tap(self.graph, tap)

    def plan(self, tap: str | TapLike | None = None) -> Plan:
        """The steps from a tap back to the input, as data, with what they promise for the present weights."""
        found = self.plan_by_shapes(tap)
        key = ("measured plan", found.known)
        return self.context.prepared(
            key, self.context.versions, lambda: measured(self.graph, found, self.context)
        )

    def plan_by_shapes(self, tap: str | TapLike | None = None) -> Plan:
        """The same steps, with what shapes alone promise: no weight is looked at."""
        known = self.graph.outputs if tap is None else (self.node(tap),)
        if known not in self._plans:
            self._plans[known] = plan(self.graph, known)
        return self._plans[known]

    @entry
    def features(self, x: Values, taps: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Forward values at the taps, by label.

        Args:
            x: the network's input, ``(N, *event)``.
            taps: labels; all by default.
        """
        labels = tuple(self._taps if taps is None else taps)
        names = {label: self.node(label) for label in labels}
        inputs = self.inputs(x)
        check_values(self.graph, self.network, inputs)
        with torch.no_grad():
            values = evaluate(self.graph, inputs, dict.fromkeys(names.values()))
        return {label: values[name] for label, name in names.items()}

    @entry
    def forward(self, y: Values, tap: str | TapLike | None = None, on_error: OnError | None = None) -> Values:
        """The best one-shot answer for x with f(x) = y.

        From a tap that was calibrated, the calibrated decoder answers, unless every step of the data-free
        chain is exact. Use ``data_free``, ``calibrated`` or ``solve`` to choose, and to get the certificate.

        Args:
            y: values at the tap, ``(N, *event)``; a tuple for a network with several outputs.
            tap: label, value or module path; the network's output by default.
            on_error: what to do with samples whose residual is large: ``"raise"``, ``"warn"`` or ``"nan"``;
                None returns the answer as it is.

        Returns:
            x, ``(N, *event)``; a tuple for a network with several inputs.
        """
        label = self.label_of(tap)
        if isinstance(y, Tensor) and label in self._decoders and not self._keeps_everything(tap):
            x, certificate = self.calibrated(y, tap)
        else:
            x, certificate = self.data_free(y, tap)
        if on_error is None:
            return x
        what = "the network's output" if tap is None else f"tap {label!r}"
        return bare(tuple(enforce(value, certificate, on_error, what) for value in several(x)))

    def _keeps_everything(self, tap: str | TapLike | None) -> bool:
        by_shapes = self.plan_by_shapes(tap).guarantee.keeps_everything
        return by_shapes and self.plan(tap).guarantee.keeps_everything

    @entry
    def data_free(self, y: Values, tap: str | TapLike | None = None) -> tuple[Values, Certificate]:
        """Run the plan: exact where the mathematics allows, least squares elsewhere; no data is used.

        Returns:
            x and the certificate: its residual is |f(x) - y| / |y| from one forward pass.
        """
        if self.plan_by_shapes(tap).is_joint:
            self._refuse_whole(tap)
            zeros = tuple(torch.zeros_like(x) for x in self.like(y))
            return self.solve(y, tap, start=zeros)
        outcome = self.run_plan(y, tap)
        x = tuple(outcome.values[name] for name in self.graph.inputs)
        found = bare(x)
        return found, self.evidence(found, y, tap, outcome.certificate)

    def _refuse_whole(self, tap: str | TapLike | None) -> None:
        if self.graph.whole:
            raise NotInvertibleError(
                f"from {tap or 'the output'} no step leads back to {sorted(self.graph.whole)}, which hold"
                " whole numbers, and those cannot be searched for: start from the value behind an embedding,"
                " or invert the part of the network after them"
            )

    @entry
    def run_plan(self, y: Values, tap: str | TapLike | None = None) -> Outcome:
        """The data-free chain with everything it found on the way, for those who want to look inside."""
        known = self.known(y, tap)
        check_values(self.graph, self.network, known)
        with torch.set_grad_enabled(any(value.requires_grad for value in known.values())):
            return execute(self.graph, self.plan_by_shapes(tap), known, self.context)

    @entry
    def calibrated(self, y: Tensor, tap: str | TapLike | None = None) -> tuple[Tensor, Certificate]:
        """The calibrated decoder's answer: the best linear estimate given the calibration data.

        Raises:
            NotInvertibleError: when the inverse was not calibrated for this tap.
        """
        label = self.label_of(tap)
        if label not in self._decoders:
            raise NotInvertibleError(
                f"no decoder for tap {tap!r}; calibrated taps: {list(self._decoders)}. Give pi.invert(...,"
                " calibration=pictures), with this tap among taps="
            )
        check_values(self.graph, self.network, self.known(y, tap))
        with torch.no_grad():
            x = self._decoders[label](sample_rows(self.graph, self.node(tap), y))
        return x, self.evidence(x, y, tap, None)

    @abstractmethod
    def solve(
        self, y: Values, tap: str | TapLike | None = None, *, start: Values | None = None
    ) -> tuple[Values, Certificate]:
        """Search for x with f(x) = y."""

    @entry
    def first_guess(self, y: Values, tap: str | TapLike | None = None) -> Values:
        """Where a search starts: the calibrated answer where there is one, else the data-free one."""
        if self.label_of(tap) in self._decoders and isinstance(y, Tensor):
            return self.calibrated(y, tap)[0]
        return self.data_free(y, tap)[0]

    @property
    def decoders(self) -> dict[str, Decoder]:
        """The calibrated decoders by label; empty for a data-free inverse."""
        return dict(self._decoders)

    def label_of(self, tap: str | TapLike | None) -> str:
        """The label of a tap where it has one, else the name of its value."""
        if isinstance(tap, str) and tap in self._taps:
            return tap
        if tap is None and len(self.graph.outputs) != 1:
            return ""
        name = self.node(tap)
        return next((label for label, value in self._taps.items() if value == name), name)

    def like(self, y: Values) -> tuple[Tensor, ...]:
        """Empty inputs of the batch size, dtype and device of y."""
        first = several(y)[0]
        rows = samples_of(self.graph, dict.fromkeys(self.graph.outputs, first))
        return tuple(first.new_empty(rows, *shape) for shape in self.graph.input_shapes)

    def inputs(self, x: Values) -> dict[str, Tensor]:
        """Inputs of the network by name."""
        values = several(x)
        if len(values) != len(self.graph.inputs):
            raise ShapeError(
                f"got {len(values)} inputs; the network takes {len(self.graph.inputs)}, as a tuple of"
                f" {list(self.graph.inputs)}"
            )
        return dict(zip(self.graph.inputs, values, strict=True))

    def known(self, y: Values, tap: str | TapLike | None) -> dict[str, Tensor]:
        """The values that a caller gives, by name in the graph."""
        values = several(y)
        names = self.graph.outputs if tap is None else (self.node(tap),)
        if len(values) != len(names):
            raise ShapeError(
                f"got {len(values)} tensors for the {len(names)} values {list(names)}: give a tuple of as"
                " many, or name one value as tap="
            )
        return dict(zip(names, values, strict=True))

    def evidence(
        self,
        x: Values,
        y: Values,
        tap: str | TapLike | None,
        steps: Certificate | None,
    ) -> Certificate:
        """Evidence of one answer: the residual from one forward pass, joined with that of the steps."""
        tolerance = max(1e-3, 2 * torch.finfo(several(y)[0].dtype).eps)
        return certify(self.graph, self.inputs(x), self.known(y, tap), steps, tolerance)
