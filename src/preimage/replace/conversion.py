"""A pretrained network rebuilt backwards: which layer got which inverse, and what the result computes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from preimage.capture.interpret import evaluate
from preimage.certificate import relative_residual
from preimage.errors import NotInvertibleError
from preimage.inverse import Inverse
from preimage.inverse.reporting.ledger import Ledger, Row

EXACT = frozenset({"exact", "left", "right"})
"""Promises that are kept to rounding; others are approximate, or exact where a certificate says so."""


@dataclass(frozen=True)
class Backwards:
    """The whole network run backwards from one tap; medians over the samples.

    Args:
        tap: where it started.
        mode: ``data-free`` or ``calibrated``.
        forward_against_target: ``|f(g(y)) - y| / |y|``: the output of the rebuilt network against its target.
        input_against_truth: ``|g(f(x)) - x| / |x|``.
    """

    tap: str
    mode: str
    forward_against_target: float
    input_against_truth: float


@dataclass(frozen=True)
class Conversion:
    """The report of a conversion: one line a layer, then one a tap.

    Args:
        ledger: the table of :attr:`preimage.Inverse.ledger`.
        runs: the network run backwards.
    """

    ledger: Ledger
    runs: tuple[Backwards, ...]

    @property
    def exact_share(self) -> float:
        """Share of the steps back that are exact inverses on one side or both."""
        rows = [row for row in self.ledger.rows if row.depth == 0]
        return sum(row.guarantee in EXACT for row in rows) / max(1, len(rows))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**self.ledger.to_dict(), "runs": [asdict(run) for run in self.runs]}

    def __str__(self) -> str:
        cells = [("layer", "inverse", "promise", ""), *map(_cells, self.ledger.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(3)]
        lines = [
            "  ".join(c.ljust(w) for c, w in zip(row, [*widths, 0], strict=True)).rstrip() for row in cells
        ]
        runs = (
            f"from {run.tap} ({run.mode}): |f(g(y)) - y| / |y| = {run.forward_against_target:.2e},"
            f" |g(f(x)) - x| / |x| = {run.input_against_truth:.2e}"
            for run in self.runs
        )
        return "\n".join([*lines, *runs])


def conversion(inverse: Inverse, x: Tensor, taps: Iterable[str] | None = None) -> Conversion:
    """Run a rebuilt network backwards from its output and from features, and forward again.

    Args:
        inverse: from :func:`preimage.invert`.
        x: inputs of the network ``(N, *event)``, which were not calibrated on.
        taps: where to start; the output and all taps of the inverse by default.

    Returns:
        Layer by layer the kind of inverse and whether it is exact; tap by tap both round trips, from a
        calibrated decoder where there is one.

    Raises:
        NotInvertibleError: the network has several inputs or outputs.

    Cost: a run of the inverse and two forward passes a tap.

    Example:
        >>> import preimage as pi
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.LeakyReLU(0.3), torch.nn.Linear(6, 3))
        >>> report = conversion(pi.invert(net, torch.zeros(1, 4)), torch.randn(5, 4))
        >>> report.runs[-1].forward_against_target < 1e-3
        True
    """
    if len(inverse.graph.inputs) != 1 or len(inverse.graph.outputs) != 1:
        raise NotInvertibleError(
            f"conversion: the network has {len(inverse.graph.inputs)} inputs and {len(inverse.graph.outputs)}"
            " outputs; wanted one of each. The ledger and the report of the inverse cover any network"
        )
    output = inverse.graph.outputs[0]
    names = {inverse.node(tap): tap for tap in (inverse.taps if taps is None else taps)}
    chosen = {tap: name for name, tap in names.items()}
    if taps is None and output not in names:
        chosen["output"] = output
    runs = tuple(_run(inverse, x, tap, name) for tap, name in chosen.items())
    return Conversion(inverse.ledger, runs)


@torch.no_grad()
def _run(inverse: Inverse, x: Tensor, tap: str, name: str) -> Backwards:
    y = evaluate(inverse.graph, {inverse.graph.inputs[0]: x}, [name])[name]
    calibrated = tap in inverse.decoders
    found, certificate = inverse.calibrated(y, tap) if calibrated else inverse.data_free(y, name)
    answer = found[0] if isinstance(found, tuple) else found
    return Backwards(
        tap,
        "calibrated" if calibrated else "data-free",
        certificate.residual.median().item(),
        relative_residual(answer, x).median().item(),
    )


def _cells(row: Row) -> tuple[str, str, str, str]:
    promise = "exact" if row.guarantee in EXACT else "approximate"
    name = "  " * row.depth + (row.name or row.operations)
    return name, row.kind, row.guarantee, promise
