"""Quadrature whose nodes include both ends and nest."""

from __future__ import annotations

import numpy as np

Rule = tuple[tuple[float, ...], tuple[float, ...]]


def clenshaw_curtis(panels: int) -> Rule:
    r"""Nodes and weights on [0, 1] of the rule of Clenshaw and Curtis.

    .. math:: \int_0^1 g \approx \sum_{k=0}^n w_k\, g(t_k), \qquad t_k = \frac{1 - \cos(k\pi / n)}{2}

    The rule integrates the polynomial through the nodes. Every second node is a node of the rule with half as
    many panels, whose answer shows how far both are off.

    Reference: Clenshaw, Curtis (1960), A method for numerical integration on an automatic computer,
    https://doi.org/10.1007/BF01386223; Trefethen (2008), Is Gauss quadrature better than Clenshaw-Curtis?,
    https://doi.org/10.1137/060659831

    Args:
        panels: n, even and positive.

    Returns:
        n + 1 nodes from 0 to 1, and their weights, which are positive and add up to 1.

    Raises:
        ValueError: n is odd or not positive.

    Cost: O(n^2), once.

    Example:
        >>> nodes, weights = clenshaw_curtis(2)
        >>> [round(node, 9) for node in nodes], [round(6 * weight) for weight in weights]
        ([0.0, 0.5, 1.0], [1, 4, 1])
    """
    if panels < 2 or panels % 2:
        raise ValueError(f"clenshaw_curtis: panels is {panels}, wanted an even number from 2")
    angles = np.pi * np.arange(panels + 1) / panels
    order = np.arange(0, panels + 1, 2)
    factors = 2.0 / (1.0 - order.astype(float) ** 2)
    factors[[0, -1]] /= 2
    weights = np.cos(np.outer(angles, order)) @ factors * 2 / panels  # on [-1, 1]
    weights[[0, -1]] /= 2
    return tuple(((1 - np.cos(angles)) / 2).tolist()), tuple((weights / 2).tolist())
