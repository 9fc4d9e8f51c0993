"""Moving along great circles."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

TERMS = 12
"""Terms of the series: with squared lengths up to 1 the first one left out is below 1e-24."""


class Push(NamedTuple):
    r"""The map of the unit sphere :math:`f(x) = \exp_x(\nabla \varphi(x))` for the potential

    .. math:: \varphi(x) = \sum_k \frac{a_k}{b_k} e^{b_k (x^\top m_k - 1)}.

    A bijection for :math:`\sum_k a_k < 1`, where it is an optimal transport map.

    Reference: Sei (2013), A Jacobian inequality for gradient maps on the sphere and its application to
    directional statistics, https://doi.org/10.1080/03610926.2011.563017

    Args:
        sizes: a, positive, with a sum below 1, ``(K,)``.
        sharpness: b, positive, ``(K,)``.
        centres: m, unit vectors, ``(K, D + 1)``.

    Example:
        >>> push = Push(torch.tensor([0.5]), torch.tensor([1.0]), torch.tensor([[0.0, 1.0]]))
        >>> push.at(torch.tensor([[0.0, 1.0]]))[0]  # the centre stays
        tensor([[0., 1.]])
    """

    sizes: Tensor
    sharpness: Tensor
    centres: Tensor

    def at(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The image of unit vectors, and the Jacobian of the map that treats every length alike.

        Args:
            x: unit vectors ``(N, D + 1)``.

        Returns:
            y ``(N, D + 1)``, and the Jacobian ``(N, D + 1, D + 1)``: that of f on tangents, and x to y.

        Cost: O((K + D) D^2) a vector.
        """
        pull = self.sizes * torch.exp(self.sharpness * (x @ self.centres.mT - 1))  # (N, K)
        gradient = pull @ self.centres  # (N, D + 1)
        hessian = torch.einsum("nk,ki,kj->nij", pull * self.sharpness, self.centres, self.centres)
        along = (gradient * x).sum(1, keepdim=True)  # (N, 1)
        v = gradient - along * x
        identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        change = (
            hessian - _outer(x, (hessian @ x[:, :, None])[:, :, 0] + gradient) - along[:, :, None] * identity
        )
        cosine, sine, slope = _series((v * v).sum(1, keepdim=True))  # (N, 1) each
        turn = (v[:, None, :] @ change)[:, 0]  # (N, D + 1): half the gradient of the squared length
        y = cosine * x + sine * v
        jacobian = (
            cosine[:, :, None] * identity + sine[:, :, None] * change + _outer(slope * v - sine * x, turn)
        )
        return y, jacobian @ (identity - _outer(x, x)) + _outer(y, x)

    def root(self, y: Tensor, steps: int = 10) -> Tensor:
        """The unit vectors that go to y.

        Newton steps on the sphere, each the best of six lengths, from y itself, which is less than one radian
        away. As the Jacobian is regular everywhere, the distance to y falls at every step. The last two steps
        alone are seen by autograd.

        Args:
            y: unit vectors ``(N, D + 1)``.
            steps: number of searching steps.

        Returns:
            x ``(N, D + 1)``.

        Cost: ``7 steps`` evaluations and ``steps`` solutions of D + 1 equations a vector.
        """
        with torch.no_grad():
            x = y.detach()
            for _ in range(steps):
                step = self._newton(x, y.detach())
                candidates = torch.stack([_unit(x + 0.5**i * step) for i in range(6)])  # (6, N, D + 1)
                images = self.at(candidates.flatten(0, 1))[0].view_as(candidates)
                best = (images - y.detach()).square().sum(2).argmin(0)  # (N,)
                x = candidates.gather(0, best[None, :, None].expand(1, *x.shape))[0]
        for _ in range(2):
            x = _unit(x + self._newton(x, y))
        return x

    def _newton(self, x: Tensor, y: Tensor) -> Tensor:
        image, jacobian = self.at(x)
        return torch.linalg.solve(jacobian, y - image)


def _series(square: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """cos t, sin(t) / t and its derivative divided by t, from t squared: no quotient, no branch at 0."""
    cosine, sine, slope = (torch.zeros_like(square) for _ in range(3))
    for n in reversed(range(TERMS)):
        sign = (-1.0) ** n
        cosine = cosine * square + sign / math.factorial(2 * n)
        sine = sine * square + sign / math.factorial(2 * n + 1)
        slope = slope * square - sign * (2 * n + 2) / math.factorial(2 * n + 3)
    return cosine, sine, slope


def _outer(a: Tensor, b: Tensor) -> Tensor:
    return a[:, :, None] * b[:, None, :]


def _unit(x: Tensor) -> Tensor:
    return x / torch.linalg.vector_norm(x, dim=1, keepdim=True)
