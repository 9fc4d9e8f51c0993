"""Integrals of sums of squared polynomials."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

Rule = tuple[tuple[float, ...], tuple[float, ...]]


def legendre_rule(count: int) -> Rule:
    """Nodes and weights on [0, 1] that integrate polynomials up to degree 2 count - 1 exactly.

    Reference: Golub, Welsch (1969), Calculation of Gauss quadrature rules,
    https://doi.org/10.1090/S0025-5718-69-99647-1

    Args:
        count: number of nodes.

    Returns:
        The nodes, and their weights, whose sum is 1.

    Cost: O(count^3), once.

    Example:
        >>> legendre_rule(1)
        ((0.5,), (1.0,))
    """
    places, weights = np.polynomial.legendre.leggauss(count)
    return tuple(((places + 1) / 2).tolist()), tuple((weights / 2).tolist())


def sum_of_squares(x: Tensor, coefficients: Tensor, slope: float, rule: Rule) -> tuple[Tensor, Tensor]:
    r"""An increasing polynomial, the integral of squares:

    .. math:: y = \int_0^x \lambda + \frac1K \sum_{k=1}^K
        \Big( 1 + \sum_{l=0}^L a_{kl} u^l \Big)^2 \mathrm{d}u.

    Gauss-Legendre quadrature with L + 1 nodes is exact for it, and has positive terms only: no cancellation,
    which the coefficients of the integral, multiplied out, would bring.

    Reference: Jaini, Selby, Yu (2019), Sum-of-squares polynomial flow, https://arxiv.org/abs/1905.02325

    Args:
        x: any shape ``(...)``.
        coefficients: a, ``(..., K, L + 1)``, of a shape that broadcasts to that.
        slope: the least slope lambda, positive.
        rule: :func:`legendre_rule` of L + 1 nodes.

    Returns:
        y and dy/dx, of the shape of x.

    Cost: O(K L^2) a number.

    Example:
        >>> linear = torch.tensor([[0.0, 1.0]])  # the integral of (1 + u)^2
        >>> sum_of_squares(torch.tensor([2.0]), linear, 0.0, legendre_rule(2))
        (tensor([8.6667]), tensor([9.]))
    """
    nodes, shares = x.new_tensor([*rule[0], 1.0]), x.new_tensor(rule[1])  # 1 for the slope at x itself
    squares = _squares(x[..., None] * nodes, coefficients) + slope  # (..., L + 2)
    return x * (squares[..., :-1] * shares).sum(-1), squares[..., -1]


def _squares(u: Tensor, coefficients: Tensor) -> Tensor:
    """The mean of the squares at u ``(..., P)``."""
    places = u[..., None, :]  # (..., 1, P)
    value = torch.zeros_like(places)
    for power in reversed(range(coefficients.shape[-1])):
        value = value * places + coefficients[..., power, None]  # (..., K, P)
    return (1 + value).square().mean(-2)
