"""Where polar coordinates are defined."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor
from torch.distributions import constraints

from preimage.domains import Domain
from preimage.layers.structure.multiples import Multiples


class _Pairs(Domain, abc.ABC):
    """Channels in pairs: the first half of them belongs to the second half."""

    def __init__(self) -> None:
        super().__init__(None, ...)

    def fits(self, event_shape: torch.Size) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Whether the number of channels is even."""
        return len(event_shape) >= 1 and Multiples(2).fits(event_shape[:1])

    def describe_shape(self) -> str:
        """An even number of channels."""
        return "(N, 2k, ...)"

    @property
    def constraint(self) -> constraints.Constraint:
        """``constraints.real``: torch.distributions has no name for this set."""
        return constraints.real


def smallest_amplitude(dtype: torch.dtype) -> float:
    """Below it the square of an amplitude, and with it the slope of the phase, underflows."""
    return math.sqrt(torch.finfo(dtype).tiny)


class NonzeroPairs(_Pairs):
    """Pairs of channels (a, b) that are not both zero.

    Example:
        >>> import torch
        >>> NonzeroPairs().outside(torch.tensor([[0.0, 1.0, 0.0, 0.0]]))
        tensor([[ True, False,  True, False]])
    """

    def outside(self, x: Tensor) -> Tensor:
        """Both members of a pair that is too close to zero."""
        a, b = x.chunk(2, dim=1)
        too_small = torch.hypot(a, b) < smallest_amplitude(x.dtype)
        return torch.cat([too_small, too_small], dim=1)

    def violation(self, x: Tensor) -> Tensor:
        """The smallest amplitude where the pair lies below it."""
        return self.outside(x).to(x.dtype) * smallest_amplitude(x.dtype)

    def squash(self, real: Tensor) -> Tensor:
        """The number itself, moved away from zero."""
        return real + torch.where(real < 0, -0.1, 0.1)

    def edges(self, dtype: torch.dtype) -> Tensor:
        """Amplitudes at the limit and of order 1e6."""
        limit = smallest_amplitude(dtype)
        return torch.tensor([2 * limit, -2 * limit, 1e6, -1e6], dtype=dtype)

    def __str__(self) -> str:
        return "pairs (channel i, channel C/2 + i) that are not both zero"


class AmplitudesAndPhases(_Pairs):
    """Positive numbers in the first half of the channels, angles from -pi to pi in the second.

    Example:
        >>> import torch
        >>> AmplitudesAndPhases().outside(torch.tensor([[-1.0, 4.0]]))
        tensor([[True, True]])
    """

    def outside(self, x: Tensor) -> Tensor:
        """Amplitudes too close to zero or below, and phases beyond pi."""
        amplitude, phase = x.chunk(2, dim=1)
        limit = smallest_amplitude(x.dtype)
        return torch.cat([amplitude < limit, phase.abs() > math.pi], dim=1)

    def violation(self, x: Tensor) -> Tensor:
        """Distance of every number from its interval."""
        amplitude, phase = x.chunk(2, dim=1)
        limit = smallest_amplitude(x.dtype)
        return torch.cat([(limit - amplitude).clamp_min(0), (phase.abs() - math.pi).clamp_min(0)], dim=1)

    def squash(self, real: Tensor) -> Tensor:
        """A positive number and an angle."""
        amplitude, phase = real.chunk(2, dim=1)
        return torch.cat([0.1 + torch.nn.functional.softplus(amplitude), 3 * torch.tanh(phase)], dim=1)

    def edges(self, dtype: torch.dtype) -> Tensor:
        """Small and large amplitudes; as phases only those within the circle count."""
        limit = smallest_amplitude(dtype)
        return torch.tensor([2 * limit, 1e-3, 1.0, math.pi, -math.pi, 1e6], dtype=dtype)

    def __str__(self) -> str:
        return "amplitudes above 0 (first half of the channels) and phases in [-pi, pi] (second half)"
