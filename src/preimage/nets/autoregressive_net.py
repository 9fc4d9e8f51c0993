"""Networks whose outputs for a feature depend on earlier features only, and how they are undone."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.autoregressive.sweeps import fixed_point_sweeps
from preimage.functional.event import sum_event

Invert = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Takes elements y and their parameters with one more dimension; gives x and log abs dx/dy."""


class Solution(NamedTuple):
    """An autoregressive system, solved.

    Args:
        x: the solution, of the shape of y.
        log_det: the log_det of the inverse ``(N,)``.
        passes: how many sequential steps each row took, int ``(N,)``.
    """

    x: Tensor
    log_det: Tensor
    passes: Tensor


class AutoregressiveNet(nn.Module, abc.ABC):
    """A network that gives each feature parameters which depend on earlier features (and a context) only.

    What :class:`~preimage.layers.Autoregressive` asks for parameters, and asks to be undone. Solving works
    for every such network by parallel sweeps, see
    :func:`~preimage.functional.autoregressive.sweeps.fixed_point_sweeps`; a network that can do better
    overrides :meth:`solve`.

    Args:
        event_shape: shape of one row of x.
        count: number of parameters of each feature.
        passes: number of sweeps that surely suffice: the length of the longest chain of dependencies, at most
            the number of features.
        context: size of the context ``(N, context)``, or a pattern such as ``Reals(...)``; None for none.

    Example:
        >>> from preimage.nets import MaskedMLP
        >>> net = MaskedMLP(3, count=2)
        >>> isinstance(net, AutoregressiveNet), net.event_shape, net.passes
        (True, (3,), 3)
    """

    def __init__(
        self, event_shape: Sequence[int], count: int, passes: int, context: int | Reals | None = None
    ) -> None:
        super().__init__()
        self.event_shape, self.count, self.passes = tuple(event_shape), count, passes
        self.context_domain = Reals(context) if isinstance(context, int) else context

    @abc.abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The parameters ``(N, *event_shape, count)`` for x ``(N, *event_shape)``."""

    def solve(self, invert: Invert, y: Tensor, context: Tensor | None = None) -> Solution:
        """Find x with y = g(x; parameters of x), for an elementwise g.

        Args:
            invert: the inverse of g, elementwise.
            y: tensor ``(N, *event_shape)``.
            context: as for the network.

        Returns:
            The solution; it is the one of feature after feature.
        """
        answer = fixed_point_sweeps(lambda x: invert(y, self(x, context).to(y.dtype)), y, self.passes)
        return Solution(answer.x, sum_event(answer.extra), answer.sweeps)
