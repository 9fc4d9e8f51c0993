"""What one piece of a spline looks like."""

from __future__ import annotations

import abc

from torch import Tensor


class Curve(abc.ABC):
    r"""A family of increasing curves from (0, 0) to (1, 1) with given slopes at both ends.

    A bin is stretched to the unit square first. There the slopes are a and b, and a curve knows its value
    :math:`\eta` at :math:`t` and the other way round. Both give the distance to the far corner too, because
    1 - t has lost its digits where t is nearly 1.

    Example:
        >>> import torch
        >>> from preimage.functional.splines import Linear
        >>> one = torch.ones(())
        >>> height, _, slope = Linear().rise(torch.tensor(0.25), torch.tensor(0.75), one, one)
        >>> height, slope
        (tensor(0.2500), tensor(1.))
    """

    @abc.abstractmethod
    def rise(self, t: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The value at t.

        Args:
            t: place, between 0 and 1.
            rest: 1 - t.
            a, b: slopes at 0 and at 1, positive.

        Returns:
            The value, 1 minus the value, and the derivative, all of the shape of t.
        """

    @abc.abstractmethod
    def root(self, value: Tensor, rest: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Where the value is taken.

        Args:
            value: between 0 and 1.
            rest: 1 - value.
            a, b: slopes at 0 and at 1, positive.

        Returns:
            The place t and 1 - t.
        """
