"""The inverse of a network that kept the places of its maxima from one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn

from preimage.capture.graph import Graph
from preimage.capture.interpret import evaluate
from preimage.capture.taps import TapLike
from preimage.certificate import Certificate, OnError, enforce, relative_residual
from preimage.errors import NotInvertibleError, ShapeError
from preimage.inverse.packing import Packing, stacked
from preimage.inverse.planning.plan import Plan
from preimage.inverse.planning.recorded import MARK, places_of, pooled_axes, read, recordable, with_places
from preimage.inverse.reporting.ledger import Ledger
from preimage.inverse.reporting.report import Report, RoundTrips
from preimage.inverse.residual import certify
from preimage.inverse.solvers.nonlinear.gauss_newton import Effort, gauss_newton
from preimage.inverse.values import Values, bare, flat, several

if TYPE_CHECKING:
    from preimage.inverse.inverse import Inverse

ROUNDING = 1e-5
"""Relative difference up to which two numbers count as equally large."""


@final
class WithSideInformation(nn.Module):
    """A network run backwards, when it is known where each maximum of its max poolings stood.

    y_w = max over p in window w of x_p becomes x at place(w) = y_w, an equation, and x_p <= y_w elsewhere.
    The layers in front are solved from the equations, and kept within the inequalities where that leaves a
    choice. This is no inverse of the network: places are taken from the forward pass of the very x that is
    looked for. Ledger, report and certificates say "with side information".

    Reference: M. Zeiler and R. Fergus (2014), Visualizing and Understanding Convolutional Networks,
    https://arxiv.org/abs/1311.2901, keep these "switches", though their deconvolution is no inverse.

    Args:
        inverse: the data-free inverse, made by ``preimage.invert``.
        x: inputs ``(N, *event)``; row n of later outputs must belong to row n of them.

    Raises:
        NotInvertibleError: when the network has no max pooling, or was captured for one batch size above 1.

    Cost:
        As much as N calls of the inverse with one sample each, with factorisations of their own.

    Example:
        >>> import torch, preimage as pi
        >>> net = torch.nn.Sequential(torch.nn.Conv1d(1, 6, 3), torch.nn.ReLU(), torch.nn.MaxPool1d(2))
        >>> weight = torch.tensor([[[1.0, 0, 0]], [[0, 1.0, 0]], [[0, 0, 1.0]]])
        >>> net[0].weight.data = torch.cat([weight, -weight])
        >>> x = torch.tensor([[[1.0, -2.0, 3.0, -1.0, 2.0, -3.0]]])
        >>> inverse = pi.invert(net, x)
        >>> recorded = inverse.with_side_information(x)
        >>> answer, certificate = recorded.answer(net(x).detach())
        >>> certificate.ok, certificate.message[:21]
        (True, 'with side information')
    """

    def __init__(self, inverse: Inverse, x: Values) -> None:
        super().__init__()
        self.inverse = inverse
        graph = inverse.graph
        if not recordable(graph):
            raise NotInvertibleError(
                "this network has no max pooling whose places could be kept; use the inverse itself"
            )
        if graph.fixed_batch not in (None, 1):
            raise NotInvertibleError(
                f"the network was captured for batches of {graph.fixed_batch} alone, and side information is"
                " used sample by sample; give pi.invert an example with one sample"
            )
        self._x = tuple(value.detach().clone() for value in several(x))
        self._places = places_of(graph, dict(zip(graph.inputs, self._x, strict=True)))

    @property
    def taps(self) -> tuple[str, ...]:
        """Labels of the values from which an inversion usually starts, shallow to deep."""
        return self.inverse.taps

    @property
    def places(self) -> Mapping[str, Tensor]:
        """The side information: flat positions of the maxima by name of the pooling, ``(N, ...)`` each."""
        return dict(self._places)

    def sample(self, row: int) -> Inverse:
        """The inverse of the network that one sample saw: maxima are read at its places."""
        inverse, share = self.inverse, len(self._x[0])
        places = {name: value.split(len(value) // share)[row] for name, value in self._places.items()}
        graph = with_places(inverse.graph, places)
        return type(inverse)(graph, {label: inverse.node(label) for label in inverse.taps})

    def plan(self, tap: str | TapLike | None = None) -> Plan:
        """The steps from a tap back to the input; the same for every sample."""
        return self.sample(0).plan(tap)

    def forward(self, y: Values, tap: str | TapLike | None = None, on_error: OnError | None = None) -> Values:
        """The best one-shot answer for the x that was recorded.

        Args:
            y: values at the tap, ``(N, *event)``, in the order of the recorded inputs.
            tap: label, value or module path; the network's output by default.
            on_error: what to do with samples whose residual is large; None returns the answer as it is.
        """
        x, certificate = self.answer(y, tap)
        if on_error is None or isinstance(x, tuple):
            return x
        return enforce(x, certificate, on_error, f"tap {tap!r} {MARK}")

    def answer(self, y: Values, tap: str | TapLike | None = None) -> tuple[Values, Certificate]:
        """Run the plan for every sample; the certificate is that of the network itself, without places."""
        return self._each(y, tap, lambda inverse, part: inverse.data_free(part, tap)[0])

    def solve(
        self, y: Values, tap: str | TapLike | None = None, *, tol: float = 1e-5, max_products: int = 200
    ) -> tuple[Values, Certificate]:
        """Refine until f(x) = y, every maximum stands at its place and no other number exceeds it.

        Args:
            y: values at the tap, ``(N, *event)``.
            tap: label, value or module path; the network's output by default.
            tol: relative residual that counts as solved.
            max_products: Jacobian products to spend on any sample, each about one forward pass.
        """
        effort = Effort(tolerance=tol, max_products=max_products)

        def refined(inverse: Inverse, part: Values) -> Values:
            first = inverse.data_free(part, tap)[0]
            return _refined(self.inverse.graph, inverse.graph, self._known(part, tap), first, effort)

        return self._each(y, tap, refined, tol)

    def _each(
        self,
        y: Values,
        tap: str | TapLike | None,
        invert: Callable[[Inverse, Values], Values],
        tolerance: float = 1e-3,
    ) -> tuple[Values, Certificate]:
        samples = len(self._x[0])
        parts = [value.split(max(1, len(value) // samples)) for value in several(y)]
        if any(len(part) != samples for part in parts):
            raise ShapeError(
                f"the places of {samples} samples were kept; got outputs of shape"
                f" {[tuple(value.shape) for value in several(y)]}. Record the inputs of these outputs"
            )
        rows = [several(invert(self.sample(n), bare(row))) for n, row in enumerate(zip(*parts, strict=True))]
        x = tuple(torch.cat(column) for column in zip(*rows, strict=True))
        inputs = dict(zip(self.inverse.graph.inputs, x, strict=True))
        found = certify(self.inverse.graph, inputs, self._known(y, tap), None, tolerance)
        return bare(x), replace(
            found,
            message=f"{MARK}: {self._agreement(inputs):.1%} of the maxima stand"
            " where they stood in the recorded forward pass",
        )

    def _agreement(self, inputs: Mapping[str, Tensor]) -> float:
        """Share of the windows of an answer whose largest number stands at the recorded place."""
        graph, pools = self.inverse.graph, recordable(self.inverse.graph)
        names = dict.fromkeys(name for pool in pools for name in (pool.name, pool.inputs[0]))
        with torch.no_grad():
            values = evaluate(graph, inputs, names)
        same = [
            read(pooled_axes(pool.operation), values[pool.inputs[0]], places=self._places[pool.name])
            >= values[pool.name] - ROUNDING * values[pool.name].abs()
            for pool in pools
        ]
        return torch.cat([flags.flatten() for flags in same]).double().mean().item()

    def _known(self, y: Values, tap: str | TapLike | None) -> dict[str, Tensor]:
        names = self.inverse.graph.outputs if tap is None else (self.inverse.node(tap),)
        return dict(zip(names, several(y), strict=True))

    @property
    def ledger(self) -> Ledger:
        """The ledger of the network that the first sample saw; every recorded row says so."""
        return replace(self.sample(0).ledger, side_information=tuple(self._places))

    @property
    def report(self) -> Report:
        """The ledger, and on first use both round trips on the recorded inputs."""
        return Report(self.ledger, self._round_trips)

    def _round_trips(self) -> tuple[RoundTrips, ...]:
        graph = self.inverse.graph
        with torch.no_grad():
            values = evaluate(graph, dict(zip(graph.inputs, self._x, strict=True)), graph.outputs)
        answer, certificate = self.answer(bare(tuple(values[name] for name in graph.outputs)))
        trip = RoundTrips(
            tap=", ".join(graph.outputs),
            mode=MARK,
            there_and_back=relative_residual(flat(several(answer)), flat(self._x)).median().item(),
            back_and_there=certificate.residual.median().item(),
            converged=certificate.converged.double().mean().item(),
        )
        return (trip,)


def _refined(
    graph: Graph, recorded: Graph, known: Mapping[str, Tensor], first: Values, effort: Effort
) -> Values:
    """Gauss-Newton steps on the equations at recorded places and on every inequality that is broken."""
    packing, pools = Packing(graph), recordable(graph)
    sources = [pool.inputs[0] for pool in pools]
    names = dict.fromkeys((*known, *sources, *(pool.name for pool in pools)))

    def outputs(x: Tensor) -> Tensor:
        inputs = packing.unpack(x)
        values = evaluate(recorded, inputs, names)
        made = stacked(recorded, {name: values[name] for name in known}).flatten(1)
        excess = [_excess(graph, pool.name, values).view(len(x), -1) for pool in pools]
        return torch.cat([made, *excess], 1)

    guess = packing.pack(first).detach()
    wanted = stacked(recorded, known).detach().flatten(1)
    with torch.no_grad():
        extra = outputs(guess).shape[1] - wanted.shape[1]
    target = torch.cat([wanted, wanted.new_zeros(len(wanted), extra)], 1)
    x, _ = gauss_newton(outputs, target, guess, effort=effort)
    return bare(tuple(packing.unpack(x).values()))


def _excess(graph: Graph, name: str, values: Mapping[str, Tensor]) -> Tensor:
    """How far the largest number of every window lies above the one at the recorded place."""
    largest = evaluate(graph, {graph.by_name[name].inputs[0]: values[graph.by_name[name].inputs[0]]}, [name])
    return largest[name] - values[name]
