"""An inverse whose calibrated answers are painted by a trained decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import final

import torch
from torch import Tensor, nn

from preimage.capture.interpret import evaluate
from preimage.capture.taps import TapLike
from preimage.certificate import Certificate, OnError, enforce, with_message
from preimage.decoders.alternate import alternate
from preimage.decoders.exactly import EXACT, Answer, exact_or, unsaturated
from preimage.decoders.feedback import ROUNDS
from preimage.decoders.picture_decoder import PictureDecoder
from preimage.decoders.posterior import posterior
from preimage.decoders.refine import refine
from preimage.decoders.search_metric import FLATTER, knows_little, search_metric
from preimage.errors import ShapeError, UnknownTapError
from preimage.inverse import Inverse
from preimage.inverse.calibration import Calibration
from preimage.inverse.checks import check_values
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.posterior.posterior import Posterior
from preimage.inverse.reporting.report import Report
from preimage.inverse.residual import certify
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.watch import Progress, Watch

SOLVED = 1e-5  # relative residual up to which a chain counts as exact
KEEPING = (Guarantee.EXACT, Guarantee.LEFT, Guarantee.CERTIFIED)
Method = Callable[[Tensor], Answer]
"""From features ``(N, *tap)`` to inputs and their evidence."""

ORIGIN = "calibrated: painted by a decoder that was trained on pictures"


@final
class Attached(nn.Module):
    """An inverse and a picture decoder for the same network; made by :meth:`PictureDecoder.attach`.

    Its answers are *calibrated* ones: certificates say that they were painted. Taps that the decoder was not
    trained for are answered by the inverse itself.

    Args:
        inverse: of the network; its parameters are shared.
        decoder: trained for the network.

    Raises:
        ModelFileError: the inverse is that of another network, or of other weights.
        UnknownTapError: the network has none of the decoder's taps.

    Cost: one hash over the network's weights.

    Example:
        See :class:`preimage.decoders.PictureDecoder`.
    """

    def __init__(self, inverse: Inverse, decoder: PictureDecoder) -> None:
        super().__init__()
        decoder.owner.check(inverse.graph)
        self.inverse, self.decoder = inverse, decoder
        self._labels = _labels(inverse, decoder)  # value in the graph -> label of the decoder
        if not self._labels:
            raise UnknownTapError(
                f"the decoder's taps {list(decoder.taps)} are no values of this network, whose taps are"
                f" {list(inverse.taps)}; give pi.invert(..., taps=...) the taps it was trained with"
            )

    @property
    def taps(self) -> tuple[str, ...]:
        """Labels of the inverse's taps, shallow to deep."""
        return self.inverse.taps

    @property
    def painted(self) -> tuple[str, ...]:
        """Labels of the decoder's taps that this network has."""
        return tuple(self._labels.values())

    @property
    def report(self) -> Report:
        """The ledger of the inverse."""
        return self.inverse.report

    def features(self, x: Tensor, taps: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Forward values at the taps, by label."""
        return self.inverse.features(x, taps)

    def map_to(self, tap: str | TapLike) -> Callable[[Tensor], Tensor]:
        """The network up to a tap: a differentiable map from inputs to features."""
        node, graph = self._node(tap), self.inverse.graph
        return lambda x: evaluate(graph, {graph.inputs[0]: x}, [node])[node]

    def data_free(self, y: Tensor, tap: str | TapLike | None = None) -> tuple[Tensor, Certificate]:
        """The inverse's own answer, which has seen no picture."""
        return self.inverse.data_free(y, tap)  # pyright: ignore[reportReturnType]  # one input, so one tensor

    def forward(self, y: Tensor, tap: str | TapLike | None = None, on_error: OnError | None = None) -> Tensor:
        """The exact answer where there is one and the painted one elsewhere; ``on_error`` as for an inverse.

        It is exact where the ledger promises that every step back from the tap keeps everything, and the
        residual agrees, sample by sample.

        Returns:
            x ``(N, C, H, W)``.
        """
        node = self._node(tap)
        if node not in self._labels:
            x, certificate = self.inverse.calibrated(y, tap)
        else:
            self._check(y, node)
            x, certificate = self._exact_or(lambda rest: self._painted(rest, node), y, node, SOLVED)
        return x if on_error is None else enforce(x, certificate, on_error, f"tap {tap!r}")

    def calibrated(self, y: Tensor, tap: str | TapLike | None = None) -> tuple[Tensor, Certificate]:
        """The painted answer, with its certificate, also where an exact one would be known.

        Args:
            y: features ``(N, *tap)``.
            tap: label of the decoder or of the inverse, value or module path; the output by default.

        Returns:
            x ``(N, C, H, W)`` and the residual of one forward pass.

        Raises:
            ShapeError, NonFiniteError: for features that the tap cannot have.
            NotInvertibleError: neither was the decoder trained for the tap, nor the inverse calibrated.
        """
        node = self._node(tap)
        if node not in self._labels:
            return self.inverse.calibrated(y, tap)
        self._check(y, node)
        return self._painted(y, node)

    def solve(
        self,
        y: Tensor,
        tap: str | TapLike | None = None,
        *,
        tol: float = 1e-5,
        start: Tensor | None = None,
        max_products: int = 24,
        progress: Progress | None = None,
    ) -> tuple[Tensor, Certificate]:
        """The painted answer, refined so that its features agree too; the exact one where there is one.

        Args:
            y: features ``(N, *tap)``.
            tap: as for :meth:`calibrated`.
            tol: relative residual that counts as solved.
            start: first guess; the painted answer by default.
            max_products: products with the transposed Jacobian to spend. Pictures gain by many more than
                the default: see docs/picture_prior.md.
            progress: as for ``inverse.solve``.

        Returns:
            x ``(N, C, H, W)`` and the certificate.

        Cost: see :func:`preimage.decoders.refine.refine`.
        """
        node = self._node(tap)
        if node not in self._labels:
            return self.inverse.solve(  # pyright: ignore[reportReturnType]  # one input, so one tensor
                y, tap, tol=tol, start=start, max_products=max_products, progress=progress
            )
        self._check(y, node)
        effort = Effort(tol, max_products, watch=Watch(progress))
        if start is not None:
            return self._refined(y, node, start, effort)
        return self._exact_or(lambda rest: self._refined(rest, node, None, effort), y, node, tol)

    def posterior(self, y: Tensor, tap: str | TapLike | None = None) -> Posterior:
        """The distribution of the picture around the painted one: intervals and draws.

        Taps that the decoder was not trained for are answered by the inverse itself.

        Args:
            y: features ``(N, *tap)``.
            tap: as for :meth:`calibrated`.

        Raises:
            NotInvertibleError: how the decoder errs was not measured, see :meth:`measured_on`.

        Cost: a painted picture, a forward pass for the certificate.
        """
        node = self._node(tap)
        if node not in self._labels:
            return self.inverse.posterior(y, tap)
        self._check(y, node)
        return posterior(self, y, node, self._labels[node])

    def measured_on(self, data: Calibration | Tensor) -> Attached:
        """The same, with intervals from how the decoder errs on some pictures that it was not trained on.

        Args:
            data: pictures ``(N, C, H, W)``, each a scene of its own; or ``Calibration(pictures, scenes)``.
        """
        nodes = list(self._labels)

        def features(x: Tensor) -> dict[str, Tensor]:
            return {self._labels[node]: y for node, y in self.inverse.features(x, nodes).items()}

        data = data if isinstance(data, Calibration) else Calibration(data)
        return Attached(self.inverse, self.decoder.measured_on(data, features))

    def _painted(self, y: Tensor, node: str) -> tuple[Tensor, Certificate]:
        x = self.decoder(y, self._labels[node])
        return x, self._evidence(x, y, node, None, 1e-3)

    def _refined(
        self, y: Tensor, node: str, start: Tensor | None, effort: Effort
    ) -> tuple[Tensor, Certificate]:
        label, f = self._labels[node], self.map_to(node)
        decoder, corrector = self.decoder.network, self.decoder.corrector
        errors = self.decoder.metric(label)
        metric = search_metric(errors, decoder.spread, self.decoder.blueprint.taps[label])
        if start is None and corrector is not None and label in corrector.labels:
            flat = errors.power(FLATTER)
            x, steps = alternate(f, y, label, decoder, corrector, metric, effort, flat)
        else:
            rounds = 0 if knows_little(errors, decoder.spread) else ROUNDS
            x, steps = refine(
                f, y, lambda v: self.decoder(v, label), metric, start=start, effort=effort, rounds=rounds
            )
        return x, self._evidence(x, y, node, steps, effort.tolerance)

    def _exact_or(self, other: Method, y: Tensor, node: str, tolerance: float) -> Answer:
        """The inverse's own answer where its ledger promises that every step back can be exact."""
        if not self._keeps_all(node):
            return other(y)
        # with fewer numbers than the picture has, the chain would search long for what is not there
        eligible = unsaturated(y) >= prod(self.inverse.graph.input_shapes[0])
        return exact_or(other, lambda rest: self._exact(rest, node), y, eligible, tolerance)

    def _keeps_all(self, node: str) -> bool:
        plans = self.inverse.plan_by_shapes, self.inverse.plan  # the first is cheap
        return all(plan(node).guarantee in KEEPING for plan in plans)

    def _exact(self, y: Tensor, node: str) -> Answer:
        x, certificate = self.data_free(y, node)
        return x, with_message(certificate, EXACT, certificate.message)

    def _node(self, tap: str | TapLike | None) -> str:
        if isinstance(tap, str) and tap not in self.inverse.taps:
            for node, label in self._labels.items():
                if label == tap:
                    return node
        return self.inverse.node(tap)

    def _check(self, y: Tensor, node: str) -> None:
        if not isinstance(y, Tensor):
            raise ShapeError(f"one tensor of features was wanted; got a {type(y).__name__}")
        check_values(self.inverse.graph, self.inverse.network, {node: y})

    def _evidence(
        self, x: Tensor, y: Tensor, node: str, steps: Certificate | None, tolerance: float
    ) -> Certificate:
        graph = self.inverse.graph
        with torch.no_grad():
            evidence = certify(graph, {graph.inputs[0]: x}, {node: y}, steps, tolerance)
        return with_message(evidence, ORIGIN, evidence.message)


def _labels(inverse: Inverse, decoder: PictureDecoder) -> Mapping[str, str]:
    """Value in the graph -> label of the decoder, by the names in the graph and, failing that, by label."""
    found = {}
    for label, value in decoder.owner.values.items():
        node = inverse.node(label) if label in inverse.taps else value
        known = node in inverse.graph.by_name
        if known and tuple(inverse.graph.shape(node)) == decoder.blueprint.taps[label]:
            found[node] = label
    return found
