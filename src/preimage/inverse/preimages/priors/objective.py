"""What makes one preimage better than another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.solvers.nonlinear.metric import Identity, Metric


class Objective(ABC):
    """A number for each x; among the preimages of a value, the one with the smallest is the best."""

    @property
    def metric(self) -> Metric:
        """In which sense a change of x is small; the identity unless told."""
        return Identity()

    @abstractmethod
    def value(self, x: Tensor) -> Tensor:
        """The number for each of ``x (N, *input)``, ``(N,)``."""

    def of(self, rows: Tensor) -> Objective:
        """The objective of some samples of the batch it was made for; itself where all samples share it."""
        return self

    def toward(self, x: Tensor) -> Tensor:
        """A better point if nothing else counted, ``(N, *input)``.

        Polyak's step ``x - R(x) / |R'(x)|^2 R'(x)``, which aims at a value of 0.
        """
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            value = self.value(point)
            (gradient,) = torch.autograd.grad(value.sum(), point)
        size = gradient.flatten(1).square().sum(1).clamp_min(torch.finfo(x.dtype).tiny)
        return x - (value.detach() / size).view(-1, *[1] * (x.dim() - 1)) * gradient


@final
class Distance(Objective):
    """Half the squared distance from a point: ``R(x) = |x - a|^2 / 2``.

    Args:
        anchor: a, ``(N, *input)`` or broadcastable; zero for the preimage of least norm.
    """

    def __init__(self, anchor: Tensor) -> None:
        self.anchor = anchor

    def of(self, rows: Tensor) -> Objective:
        """With the anchors of these samples."""
        return self if len(self.anchor) == 1 else Distance(self.anchor[rows])

    def value(self, x: Tensor) -> Tensor:
        """Half the squared distance."""
        return (x - self.anchor).flatten(1).square().sum(1) / 2

    def toward(self, x: Tensor) -> Tensor:
        """The anchor itself."""
        return self.anchor.expand_as(x)


@final
class Together(Objective):
    """A weighted sum of objectives.

    Args:
        parts: pairs of weight and objective.

    Example:
        >>> near = Distance(torch.zeros(1, 2))
        >>> Together([(1.0, near), (0.5, near)]).value(torch.tensor([[2.0, 0.0]]))
        tensor([3.])
    """

    def __init__(self, parts: list[tuple[float, Objective]]) -> None:
        if not parts:
            raise ShapeError("a sum of no objectives; one at least was wanted")
        self.parts = list(parts)

    def of(self, rows: Tensor) -> Objective:
        """Of these samples."""
        return Together([(weight, part.of(rows)) for weight, part in self.parts])

    def value(self, x: Tensor) -> Tensor:
        """The weighted sum, ``(N,)``."""
        return torch.stack([weight * part.value(x) for weight, part in self.parts]).sum(0)
