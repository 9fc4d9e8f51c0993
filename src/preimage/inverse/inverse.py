"""The inverse of a network: an nn.Module that runs it backwards from any tap."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING

from preimage.inverse.calibrate import Decoder
from preimage.inverse.on_demand import OnDemand
from preimage.inverse.reporting.ledger import Ledger
from preimage.inverse.reporting.ledger_rows import ledger
from preimage.inverse.reporting.report import Report
from preimage.inverse.reporting.round_trips import round_trips
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.side_information import WithSideInformation


class Inverse(OnDemand):
    """A network run backwards. Made by ``preimage.invert``; parameters are shared with the network.

    Args:
        graph: the captured network.
        taps: label -> name of a value in the graph, in depth order.
        decoders: label -> calibrated decoder; empty for a data-free inverse.
        example: inputs on which the report measures both round trips; standard normal ones where it is
            constant.
    """

    @property
    def ledger(self) -> Ledger:
        """The table of dimensions, rank and guarantee of every region; nothing is inverted for it."""
        return ledger(self.graph, self.plan_by_shapes(None), self.context)

    @property
    def report(self) -> Report:
        """The ledger, and on first use both round trips from the network's output on the example."""
        return Report(self.ledger, lambda: round_trips(self, self._example))

    def with_decoders(self, decoders: Mapping[str, Decoder]) -> Inverse:
        """The same inverse with other calibrated decoders; what was factorised for this one is shared.

        Args:
            decoders: label of a tap -> decoder, such as :func:`preimage.inverse.invert.calibrate` makes.

        Returns:
            A new inverse of the same network, with the same taps.
        """
        found = Inverse(self.graph, self._taps, decoders, self._example)
        found.context = self.context
        return found

    def with_side_information(self, x: Values) -> WithSideInformation:
        """An inverse for outputs of this x alone, which keeps the places of its maxima in every max pooling.

        Side information is never used otherwise, and everything it takes part in says so.

        Args:
            x: the inputs whose forward pass is recorded, ``(N, *event)``.

        Returns:
            See :class:`preimage.inverse.side_information.WithSideInformation`.
        """
        from preimage.inverse.side_information import WithSideInformation  # it makes inverses itself

        return WithSideInformation(self, x)

    def save(self, path: str | PathLike[str]) -> None:
        """Write plan and calibration to a folder, see :func:`preimage.inverse.saving.files.save`."""
        from preimage.inverse.saving import files  # it makes inverses itself

        files.save(self, path)

    def refresh(self) -> None:
        """Forget prepared factorisations, after a change of weights that PyTorch does not count."""
        self.context.refresh()
