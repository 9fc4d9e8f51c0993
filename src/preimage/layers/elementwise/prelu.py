"""Leaky rectifiers whose slope is learnt, and stays positive."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.event import align_event
from preimage.layers.elementwise.elementwise import Elementwise


class LearnableSlope(Elementwise, abc.ABC):
    r"""What rectifiers with learnable slopes share, :math:`y = x` from 0 on and :math:`\alpha x` below.

    Args:
        shape: sizes of the first event dimensions that have a slope of their own.
        slope: its first value.

    Example:
        >>> issubclass(PReLU, LearnableSlope)
        True
    """

    def __init__(self, shape: int | Sequence[int], slope: float, least: float = 0.0) -> None:
        super().__init__()
        if not least < slope < math.inf:
            name = type(self).__name__
            raise ValueError(f"{name}: slope is {slope}, wanted a number above {least:g}, such as 0.25")
        self.sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        self.domain = self.codomain = Reals(*self.sizes, ...)

    @abc.abstractmethod
    def log_slope(self) -> Tensor:
        """Logarithm of the slope below zero, of the shape given."""

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale the negative part."""
        log_slope = align_event(self.log_slope(), x)
        negative = (x < 0).to(x.dtype)
        return torch.where(x < 0, x * log_slope.exp(), x), negative * log_slope

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scale the negative part back."""
        log_slope = align_event(self.log_slope(), y)
        negative = (y < 0).to(y.dtype)
        return torch.where(y < 0, y / log_slope.exp(), y), -negative * log_slope

    def extra_repr(self) -> str:
        """The shape of the slopes."""
        return f"shape={self.sizes}"


class PReLU(LearnableSlope):
    r"""Parametric rectifier, :math:`y = x` from 0 on and :math:`e^a x` below, with learnable a.

    The slope :math:`\alpha = e^a` is positive whatever a is, and the same number serves both directions. The
    log_det, :math:`\sum_{x < 0} a`, has a gradient by a, so that likelihood alone can train the slope. A free
    slope, as in other definitions, folds the line in two as soon as it becomes negative.

    Reference: He, Zhang, Ren, Sun (2015), https://arxiv.org/abs/1502.01852

    Args:
        shape: sizes of the first event dimensions that have a slope of their own: ``()`` one for all,
            ``channels`` one per channel, ``(C, H, W)`` one per position.
        slope: first value of every slope, positive.

    Returns:
        y of the shape of x ``(N, *shape, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not begin with these sizes.
        ValueError: the slope is not positive.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> PReLU()(torch.tensor([[-2.0, 3.0]])).detach()
        tensor([[-0.5000,  3.0000]])
    """

    def __init__(self, shape: int | Sequence[int] = (), slope: float = 0.25) -> None:
        super().__init__(shape, slope)
        self.raw_slope = nn.Parameter(torch.full(self.sizes, math.log(slope)))

    def log_slope(self) -> Tensor:
        """The parameter itself."""
        return self.raw_slope


class MonotonicPReLU(LearnableSlope):
    r"""Parametric rectifier with a floor under its slope, :math:`\alpha = \epsilon + \log(1 + e^a)`.

    Where :class:`PReLU` lets the slope come as close to 0 as it likes, this one bounds how much the inverse
    can magnify an error: by :math:`1/\epsilon`. log_det is :math:`\sum_{x < 0} \log \alpha`.

    Reference: He, Zhang, Ren, Sun (2015), https://arxiv.org/abs/1502.01852; softplus against sign changes,
    Dugas and others (2001), https://papers.nips.cc/paper/1920

    Args:
        shape: sizes of the first event dimensions that have a slope of their own, as for :class:`PReLU`.
        slope: first value of every slope, above ``least``.
        least: smallest slope :math:`\epsilon` that can be learnt, not negative.

    Returns:
        y of the shape of x ``(N, *shape, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not begin with these sizes.
        ValueError: ``least`` is negative, or the slope not above it.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> layer = MonotonicPReLU(2, least=0.1)
        >>> _ = torch.nn.init.constant_(layer.raw_slope, -1e6)
        >>> layer(torch.tensor([[-2.0, 3.0]])).detach()
        tensor([[-0.2000,  3.0000]])
    """

    def __init__(self, shape: int | Sequence[int] = (), slope: float = 0.25, least: float = 1e-3) -> None:
        if least < 0:
            raise ValueError(f"MonotonicPReLU: least is {least}, wanted 0 or more, such as 1e-3")
        super().__init__(shape, slope, least)
        self.least = least
        above = slope - least
        self.raw_slope = nn.Parameter(torch.full(self.sizes, above + math.log(-math.expm1(-above))))

    def log_slope(self) -> Tensor:
        """Logarithm of the floor plus softplus."""
        return (self.least - nn.functional.logsigmoid(-self.raw_slope)).log()

    def extra_repr(self) -> str:
        """The settings."""
        return f"shape={self.sizes}, least={self.least}"
