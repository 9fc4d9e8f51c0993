"""A map linearised at a point, and the changes of x that explain a change of f: solved on the output side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import prod
from typing import final

import torch
from torch import Tensor

from preimage.inverse.solvers.linear_systems.cgls import inner, spread
from preimage.inverse.solvers.nonlinear.jacobian import Jacobian
from preimage.inverse.solvers.nonlinear.metric import Identity, Metric

Map = Callable[[Tensor], Tensor]

FEW = 512
"""Outputs up to which the Jacobian is written down."""

ROOM = 2**27
"""Most numbers that a batch of Jacobians may have."""

PRODUCTS = 200
"""Iterations of conjugate gradients for one system, where the Jacobian is not written down."""


POWER = 10
"""Power iterations for the size of a Jacobian that is not written down."""


class Linearisation(ABC):
    """J at x, and the dual system ``(A D A' + lambda s) v = r``: ``A = J S``, D diagonal, s the size of A A'.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)`` that treats rows independently.
        x: where to linearise, ``(N, *in)``.
        metric: ``M = S S'``; the identity when None.
    """

    def __init__(self, f: Map, x: Tensor, metric: Metric | None = None) -> None:
        self.metric = metric or Identity()
        self.jacobian = Jacobian(f, x)

    @property
    def value(self) -> Tensor:
        """``f(x)``, ``(N, *out)``."""
        return self.jacobian.value

    @abstractmethod
    def push(self, tangent: Tensor) -> Tensor:
        """``J t`` for tangents ``(N, *in)``."""

    @abstractmethod
    def pull(self, multiplier: Tensor) -> Tensor:
        """``S' J' v`` for multipliers ``(N, *out)``, ``(N, *in)``."""

    @abstractmethod
    def multiplier(self, right: Tensor, damping: Tensor, free: Tensor | None = None) -> Tensor:
        """v with ``(A D A' + lambda s) v = r``, ``(N, *out)``; of least norm where there are several.

        Args:
            right: r, ``(N, *out)``.
            damping: lambda, ``(N,)``.
            free: diagonal of D, ``(N, *in)``; ones when None.
        """

    @property
    @abstractmethod
    def norm(self) -> Tensor:
        """The largest singular value of J S or an estimate from below, ``(N,)``."""

    def correction(self, right: Tensor, damping: Tensor) -> Tensor:
        """The most probable change d with ``J d = r`` under the metric: ``S A' v``, ``(N, *in)``."""
        return self.metric.root(self.pull(self.multiplier(right, damping)))


@final
class Dense(Linearisation):
    """The Jacobian written down, ``(N, out, in)``: for few outputs.

    Cost: as many products with J' as f has outputs, and an eigenvalue problem of that size in float64.
    """

    def __init__(self, f: Map, x: Tensor, metric: Metric | None = None) -> None:
        super().__init__(f, x, metric)
        shape = self.value.shape
        rows = torch.eye(prod(shape[1:]), dtype=x.dtype, device=x.device).view(-1, 1, *shape[1:])
        pulled = [self.jacobian.pull(row.expand(shape)) for row in rows]
        self.matrix = torch.stack([p.flatten(1) for p in pulled], 1)  # J, (N, out, in)
        if isinstance(self.metric, Identity):
            self.rooted = self.matrix
        else:
            self.rooted = torch.stack([self.metric.root_transpose(p).flatten(1) for p in pulled], 1)  # J S
        self._whole: tuple[Tensor, Tensor] | None = None

    def push(self, tangent: Tensor) -> Tensor:
        """``J t``."""
        return (self.matrix @ tangent.flatten(1)[:, :, None])[:, :, 0].view(self.value.shape)

    def pull(self, multiplier: Tensor) -> Tensor:
        """``S' J' v``."""
        return (multiplier.flatten(1)[:, None] @ self.rooted)[:, 0].view(self.jacobian.shape)

    def multiplier(self, right: Tensor, damping: Tensor, free: Tensor | None = None) -> Tensor:
        """By the eigenvectors of the dual matrix; directions that rounding decides are left out."""
        size, vectors = self._eigen(free)  # (N, out), (N, out, out)
        largest = size[:, -1:].clamp_min(torch.finfo(torch.float64).tiny)
        shift = damping[:, None].double() * largest
        floor = largest * (torch.finfo(right.dtype).eps * size.shape[1])
        seen = size > floor
        weight = torch.where(seen, 1 / torch.where(seen, size + shift, 1.0), 0.0)
        inside = vectors.mT @ right.flatten(1).double()[:, :, None]
        return (vectors @ (weight[:, :, None] * inside))[:, :, 0].to(right).view(right.shape)

    @property
    def singular_values(self) -> Tensor:
        """Of J S, in float64, descending, ``(N, min(out, in))``."""
        return torch.linalg.svdvals(self.rooted.double())

    @property
    def norm(self) -> Tensor:
        """The largest singular value."""
        return self.singular_values[:, 0].to(self.rooted)

    @property
    def rank(self) -> Tensor:
        """Number of singular values above the rounding error of the matrix, int ``(N,)``."""
        values = self.singular_values
        rounding = torch.finfo(self.rooted.dtype).eps * max(self.rooted.shape[1:])
        return (values > rounding * values[:, :1]).sum(1)

    def _eigen(self, free: Tensor | None) -> tuple[Tensor, Tensor]:
        if free is not None:
            return _eigenvectors(self.rooted * free.flatten(1)[:, None])
        if self._whole is None:
            self._whole = _eigenvectors(self.rooted)
        return self._whole


def _eigenvectors(matrix: Tensor) -> tuple[Tensor, Tensor]:
    wide = matrix.double().nan_to_num(0.0, 0.0, 0.0)  # a sample that left the domain is no other's concern
    size, vectors = torch.linalg.eigh(wide @ wide.mT)
    return size, vectors


@final
class MatrixFree(Linearisation):
    """The dual system solved by conjugate gradients with Jacobian products: for many outputs.

    Cost: two products an iteration.
    """

    def push(self, tangent: Tensor) -> Tensor:
        """``J t``."""
        return self.jacobian.push(tangent)

    def pull(self, multiplier: Tensor) -> Tensor:
        """``S' J' v``."""
        return self.metric.root_transpose(self.jacobian.pull(multiplier))

    @property
    def norm(self) -> Tensor:
        """By a few power iterations from the outputs themselves."""
        v = self.value + 1.0
        size = inner(v, v).sqrt()
        for _ in range(POWER):
            v = v / spread(inner(v, v).sqrt().clamp_min(torch.finfo(torch.float32).tiny), v)
            v = self.push(self.metric.root(self.pull(v)))
            size = inner(v, v).sqrt().sqrt()
        return size.to(self.value)

    def multiplier(self, right: Tensor, damping: Tensor, free: Tensor | None = None) -> Tensor:
        """By conjugate gradients from zero, which keeps to the directions that f sees."""

        def operator(v: Tensor) -> Tensor:
            u = self.pull(v)
            return self.push(self.metric.root(u if free is None else free * u))

        return _dual_gradients(operator, right, damping)


def _dual_gradients(operator: Map, right: Tensor, damping: Tensor) -> Tensor:
    """Solve ``(G + lambda s) v = r``, s the first Rayleigh quotient; stops where rounding takes over."""
    solution, residual, direction = torch.zeros_like(right), right, right
    size = first = inner(right, right)
    tiny = torch.finfo(torch.float32).tiny
    limit = first * torch.finfo(right.dtype).eps ** 1.5
    shift: Tensor | None = None
    for _ in range(PRODUCTS):
        active = size > limit
        if not bool(active.any()):
            break
        image = operator(direction)
        if shift is None:
            shift = damping * inner(direction, image) / first.clamp_min(tiny)
        image = image + spread(shift, image) * direction
        step = torch.where(active, size / inner(direction, image).clamp_min(tiny), 0.0)
        solution = solution + spread(step, right) * direction
        residual = residual - spread(step, right) * image
        fresh = inner(residual, residual)
        direction = residual + spread(fresh / size.clamp_min(tiny), right) * direction
        size = fresh
    return solution


def linearise(f: Map, x: Tensor, outputs: int, metric: Metric | None = None) -> Linearisation:
    """J at x, written down where that is cheap.

    Args:
        f: a differentiable map ``(N, *in) -> (N, *out)``.
        x: where, ``(N, *in)``.
        outputs: numbers that f returns for a sample.
        metric: what changes of x are likely; the identity when None.

    Example:
        >>> a = torch.tensor([[3.0, 0.0, 4.0]])
        >>> linear = linearise(lambda x: x @ a.T, torch.zeros(1, 3), 1)
        >>> linear.correction(torch.tensor([[5.0]]), torch.zeros(1))
        tensor([[0.6000, 0.0000, 0.8000]])
    """
    return (Dense if is_written_down(outputs, x) else MatrixFree)(f, x, metric)


def is_written_down(outputs: int, x: Tensor) -> bool:
    """Whether the Jacobians of a batch ``x (N, *in)`` are few and small enough to be held."""
    return outputs <= FEW and outputs * x.numel() <= ROOM
