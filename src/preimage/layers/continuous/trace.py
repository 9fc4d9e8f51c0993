"""How the divergence of a velocity is computed: exactly, or through random directions."""

from __future__ import annotations

import abc
from typing import NamedTuple

import torch
from torch import Tensor

from preimage.functional.matrices.jacobian import RowMap
from preimage.functional.matrices.log_det_series import rademacher


class Products(NamedTuple):
    """What is known about a velocity at one point of every path.

    Args:
        velocity: ``(N, D)``.
        divergence: one estimate per probe, ``(N, M)``; a single column where it is exact.
        square: squared Frobenius norm of the Jacobian, exact or estimated, ``(N,)``.
    """

    velocity: Tensor
    divergence: Tensor
    square: Tensor


class Trace(abc.ABC):
    """A way to compute the divergence of a velocity along a path.

    Example:
        >>> HutchinsonTrace(4).columns
        4
    """

    @property
    @abc.abstractmethod
    def columns(self) -> int:
        """Number of estimates M."""

    @abc.abstractmethod
    def directions(self, x: Tensor) -> Tensor:
        """The directions ``(K * N, D)`` to look in, drawn once a path."""

    @abc.abstractmethod
    def products(self, velocity: RowMap, x: Tensor, directions: Tensor) -> Products:
        """The velocity and its divergence at x ``(N, D)``."""


class ExactTrace(Trace):
    """All D derivatives.

    Reference: Chen, Rubanova, Bettencourt, Duvenaud (2018), section 4, https://arxiv.org/abs/1806.07366

    Cost: D + 1 evaluations.

    Example:
        >>> x = torch.ones(2, 3)
        >>> trace = ExactTrace()
        >>> trace.products(lambda x: x**2, x, trace.directions(x)).divergence
        tensor([[6.],
                [6.]])
    """

    @property
    def columns(self) -> int:
        """One."""
        return 1

    def directions(self, x: Tensor) -> Tensor:
        """All unit vectors for each row."""
        return torch.eye(x.shape[1], dtype=x.dtype, device=x.device).repeat_interleave(x.shape[0], dim=0)

    def products(self, velocity: RowMap, x: Tensor, directions: Tensor) -> Products:
        """The sum of the diagonal of the Jacobian."""
        value, slopes = _products(velocity, x, directions)  # (N, D), (D, N, D)
        seen = slopes * directions.view_as(slopes)  # zero beside the diagonal
        return Products(value, seen.sum((0, 2))[:, None], slopes.square().sum((0, 2)))


class HutchinsonTrace(Trace):
    r"""Unbiased estimates :math:`v^T J v` with random signs v, the same along the whole path.

    Reference: Hutchinson (1990), https://doi.org/10.1080/03610919008812866; Grathwohl, Chen, Bettencourt,
    Sutskever, Duvenaud (2019), FFJORD, https://arxiv.org/abs/1810.01367

    Args:
        probes: number of directions M for each row; two or more give a standard error.
        generator: source of randomness on the device of the input; the global one by default.

    Raises:
        ValueError: ``probes`` is not positive.

    Cost: 2 M evaluations.

    Example:
        >>> x = torch.ones(2, 3)
        >>> trace = HutchinsonTrace(probes=4)
        >>> trace.products(lambda x: 2 * x, x, trace.directions(x)).divergence
        tensor([[6., 6., 6., 6.],
                [6., 6., 6., 6.]])
    """

    def __init__(self, probes: int = 1, generator: torch.Generator | None = None) -> None:
        if probes < 1:
            raise ValueError(f"HutchinsonTrace: probes is {probes}, wanted 1 or more")
        self.probes, self.generator = probes, generator

    @property
    def columns(self) -> int:
        """One estimate per probe."""
        return self.probes

    def directions(self, x: Tensor) -> Tensor:
        """Random signs."""
        return rademacher(x, self.probes, self.generator)

    def products(self, velocity: RowMap, x: Tensor, directions: Tensor) -> Products:
        """One product with the Jacobian per probe."""
        value, slopes = _products(velocity, x, directions)  # (N, D), (M, N, D)
        seen = (slopes * directions.view_as(slopes)).sum(2)  # (M, N)
        return Products(value, seen.T, slopes.square().sum(2).mean(0))


def _products(velocity: RowMap, x: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """The velocity ``(N, D)`` and its derivatives in the directions ``(K, N, D)``."""
    count = directions.shape[0] // max(x.shape[0], 1)
    many = x.repeat(count, 1) if x.shape[0] else directions
    values, slopes = torch.func.jvp(velocity, (many,), (directions,))  # pyright: ignore[reportAssignmentType]
    single = values if count == 1 else velocity(x)  # not a part of many rows, whose rounding may differ
    return single, slopes.view(-1, *x.shape) if x.shape[0] else slopes.view(1, *x.shape)
