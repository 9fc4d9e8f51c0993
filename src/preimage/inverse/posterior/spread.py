"""How large an error is likely to be, as a log-linear function of what is known about a place."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

STEPS = 30
SMALL = 1e-9


def fit_spread(columns: Tensor, size: Tensor, weight: Tensor, start: Tensor, ridge: float) -> Tensor:
    r"""The coefficients w of the mean absolute error :math:`s = \exp(z^\top w)`.

    The minimum of ``sum_i p_i (z_i w + |r_i| exp(-z_i w)) + ridge |w - w_0|^2 / 2``, which is convex: the
    likelihood of errors with a Laplace distribution of this scale.

    Reference: J. Nelder and Y. Lee, Likelihood, quasi-likelihood and pseudolikelihood, 1992,
    https://doi.org/10.1111/j.2517-6161.1992.tb01450.x.

    Args:
        columns: z, ``(R, K)``.
        size: absolute errors, ``(R,)``, positive.
        weight: p, ``(R,)``; sums to one.
        start: w_0, ``(K,)``.
        ridge: strength with which w stays near w_0.

    Returns:
        w, ``(K,)``.

    Cost: at most 30 Newton steps of ``O(R K^2)``.

    Example:
        >>> z = torch.stack([torch.ones(1000), torch.linspace(-1, 1, 1000)], 1).double()
        >>> noise = torch.randn(1000, generator=torch.Generator().manual_seed(0)).double()
        >>> size = (noise * torch.exp(z @ torch.tensor([0.0, 2.0]).double())).abs()
        >>> w = fit_spread(z, size, torch.full((1000,), 1e-3).double(), torch.zeros(2).double(), 0.0)
        >>> round(w[1].item(), 1)
        2.0
    """
    w = start.clone()
    value = loss(columns, size, weight, w)
    for _ in range(STEPS):
        part = weight * size * torch.exp(-columns @ w)
        gradient = columns.T @ (weight - part) + ridge * (w - start)
        curvature = columns.T @ (part[:, None] * columns) + (ridge + SMALL) * torch.eye(len(w)).to(w)
        step = torch.linalg.solve(curvature, gradient)
        w, after = _descend(_Loss(columns, size, weight, start, ridge), w, step, value)
        if value - after <= SMALL * (1 + abs(value)):
            return w
        value = after
    return w


def loss(columns: Tensor, size: Tensor, weight: Tensor, w: Tensor) -> float:
    """``sum_i p_i (z_i w + |r_i| exp(-z_i w))``."""
    exponent = columns @ w
    return (weight * (exponent + size * torch.exp(-exponent))).sum().item()


class _Loss(NamedTuple):
    columns: Tensor
    size: Tensor
    weight: Tensor
    start: Tensor
    ridge: float

    def at(self, w: Tensor) -> float:
        held = self.ridge * (w - self.start).square().sum().item() / 2
        return loss(self.columns, self.size, self.weight, w) + held


def _descend(function: _Loss, w: Tensor, step: Tensor, value: float) -> tuple[Tensor, float]:
    """The Newton step, halved until it descends."""
    length = 1.0
    while length > SMALL:
        trial = w - length * step
        after = function.at(trial)
        if after <= value:  # never where it is NaN or infinite
            return trial, after
        length /= 2
    return w, value
