"""One-dimensional distributions around zero, which a location and a scale move into place."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn

from preimage.functional.event import align_event


class Standard(nn.Module, abc.ABC):
    """A density of single numbers with location 0 and scale 1."""

    @abc.abstractmethod
    def log_density(self, u: Tensor) -> Tensor:
        """The log-density of every element of u ``(N, *event)``."""

    @abc.abstractmethod
    def draw(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        """Independent draws of the shape, dtype and device of ``like`` ``(N, *event)``."""


class StandardNormal(Standard):
    r""":math:`\log p(u) = -u^2/2 - \log(2\pi)/2`."""

    def log_density(self, u: Tensor) -> Tensor:
        """The log-density of every element."""
        return -0.5 * u.square() - 0.5 * math.log(2 * math.pi)

    def draw(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        """Normal numbers."""
        return torch.empty_like(like).normal_(generator=generator)


class StandardLogistic(Standard):
    r""":math:`\log p(u) = -|u| - 2 \log(1 + e^{-|u|})`."""

    def log_density(self, u: Tensor) -> Tensor:
        """The log-density of every element."""
        return -u.abs() - 2 * nn.functional.softplus(-u.abs())

    def draw(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        """The logit of a uniform number that is neither 0 nor 1."""
        limits = torch.finfo(like.dtype)
        uniform = torch.empty_like(like).uniform_(generator=generator)
        return torch.logit(uniform.clamp(limits.tiny, 1 - limits.eps))


class StandardStudentT(Standard):
    r"""Student's t with degrees of freedom :math:`\nu` per element, learnt or fixed.

    Args:
        degrees: start of :math:`\nu`, tensor ``event`` or ``()``, positive.
        learn: whether it is a parameter.
    """

    def __init__(self, degrees: Tensor, learn: bool) -> None:
        super().__init__()
        log_degrees = degrees.log()
        self.register_buffer("log_degrees", log_degrees)
        if learn:
            del self.log_degrees
            self.log_degrees = nn.Parameter(log_degrees)

    def degrees(self, like: Tensor) -> Tensor:
        """The degrees of freedom, seen against ``(N, *event)``."""
        return align_event(self.log_degrees.exp().to(like.dtype), like)

    def log_density(self, u: Tensor) -> Tensor:
        """The log-density of every element."""
        nu = self.degrees(u)
        scale = torch.lgamma((nu + 1) / 2) - torch.lgamma(nu / 2) - 0.5 * torch.log(math.pi * nu)
        return scale - (nu + 1) / 2 * torch.log1p(u.square() / nu)

    def draw(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        """A normal number over the root of a gamma number of mean one."""
        half = (self.degrees(like) / 2).expand_as(like).contiguous()
        draw = torch._standard_gamma(half, generator=generator)  # pyright: ignore[reportPrivateImportUsage]
        gamma = draw.clamp_min(torch.finfo(like.dtype).tiny)
        normal = torch.empty_like(like).normal_(generator=generator)
        return normal * torch.sqrt(half / gamma)
