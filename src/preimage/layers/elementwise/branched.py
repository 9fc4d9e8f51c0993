"""Base class of maps that fold the line, with the branch that makes them invertible."""

from __future__ import annotations

import abc

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.functional.event import sum_event


class Branched(Bijection, abc.ABC):
    r"""A map of every element by itself that folds the line: x goes to (y, branch).

    The folded value y alone does not determine x. The second output, a whole number of the shape of y, says
    on which monotone piece x lies, and makes the pair invertible. It is side information: a density of y
    alone is the sum over the branches. log_det is that of y by x on the branch, :math:`\sum_i \log
    |f'(x_i)|`.

    Example:
        >>> from preimage.layers import Sine
        >>> issubclass(Sine, Branched)
        True
    """

    @abc.abstractmethod
    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """y, its branch, and log abs dy/dx."""

    @abc.abstractmethod
    def inverse_elements(self, y: Tensor, branch: Tensor) -> tuple[Tensor, Tensor]:
        """x on that branch, and log abs dx/dy."""

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Fold every element and sum the log-slopes over the event."""
        y, branch, log_slope = self.forward_elements(x)
        return (y, branch), sum_event(log_slope)

    def inverse_and_log_det(self, y: tuple[Tensor, Tensor], context: Context = None) -> tuple[Tensor, Tensor]:
        """Unfold every element and sum the log-slopes over the event."""
        x, log_slope = self.inverse_elements(y[0], y[1].round())
        return x + 0 * y[1], sum_event(log_slope)  # NaN among the branches stays NaN
