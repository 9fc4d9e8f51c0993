"""What an inverse says about itself: the ledger, and both round trips on the example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from typing import Any

from preimage.inverse.reporting.ledger import Ledger, Row
from preimage.inverse.reporting.ledger_page import page


@dataclass(frozen=True)
class RoundTrips:
    """Both round trips from one tap on one batch; medians over the samples.

    Args:
        tap: where the inversion started.
        mode: ``data-free`` or ``calibrated``.
        there_and_back: ``|g(f(x)) - x| / |x|``: is the answer the input?
        back_and_there: ``|f(g(y)) - y| / |y|``: is the answer a preimage?
        converged: fraction of samples whose certificate holds.
    """

    tap: str
    mode: str
    there_and_back: float
    back_and_there: float
    converged: float

    def __str__(self) -> str:
        flag = "" if self.converged == 1.0 else f"  NOT CONVERGED for {1 - self.converged:.0%} of the samples"
        return (
            f"from {self.tap} ({self.mode}): |f(g(y)) - y| / |y| = {self.back_and_there:.2e},"
            f" |g(f(x)) - x| / |x| = {self.there_and_back:.2e}{flag}"
        )


class Report:
    """Ledger and round trips; the round trips are run when they are first asked for.

    Args:
        ledger: the table.
        measure: runs the round trips.
    """

    def __init__(self, ledger: Ledger, measure: Callable[[], tuple[RoundTrips, ...]]) -> None:
        self.ledger = ledger
        self._measure = measure

    @cached_property
    def round_trips(self) -> tuple[RoundTrips, ...]:
        """Both round trips from the network's output on the example."""
        return self._measure()

    @property
    def rows(self) -> tuple[Row, ...]:
        """Rows of the ledger."""
        return self.ledger.rows

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**self.ledger.to_dict(), "round_trips": [asdict(trip) for trip in self.round_trips]}

    def to_html(self) -> str:
        """One self-contained page: the ledger, and the round trips as a list below it."""
        trips = "".join(f"<li>{escape(str(trip))}</li>" for trip in self.round_trips)
        return page(self.ledger, f'<h2>Round trips on the example</h2><ul class="trips">{trips}</ul>')

    def __str__(self) -> str:
        return "\n".join([str(self.ledger), *map(str, self.round_trips)])
