"""Who may depend on whom: adjacency matrices of autoregressive maps."""

from __future__ import annotations

import torch
from torch import Tensor


def adjacency_from_order(order: Tensor, passes: int | None = None) -> Tensor:
    r"""The dependencies of an ordered set.

    .. math:: A_{ij} = [\lfloor r_i / b\rfloor > \lfloor r_j / b\rfloor]

    Every feature depends on those of smaller rank. With fewer passes than features, :math:`b` neighbours in
    rank form a group that does not depend on itself; two passes give a coupling.

    Reference: Germain, Gregor, Murray, Larochelle (2015), MADE, https://arxiv.org/abs/1502.03509

    Args:
        order: the rank r of each of D features, a permutation of 0 to D - 1, int ``(D,)``.
        passes: the number of groups, 1 to D; D by default.

    Returns:
        bool ``(D, D)``, True where the feature of the row depends on the feature of the column.

    Raises:
        ValueError: the order is not a permutation, or passes is out of range.

    Cost: O(D^2).

    Example:
        >>> adjacency_from_order(torch.tensor([1, 0, 2])).int()
        tensor([[0, 1, 0],
                [0, 0, 0],
                [1, 1, 0]], dtype=torch.int32)
    """
    features = len(order)
    if not torch.equal(order.sort().values, torch.arange(features)):
        raise ValueError(f"order is {order.tolist()}, wanted every number from 0 to {features - 1} once")
    passes = features if passes is None else passes
    if not 1 <= passes <= max(features, 1):
        raise ValueError(f"passes is {passes}, wanted 1 to {features} for {features} features")
    group = order // -(-features // passes) if features else order
    return group[:, None] > group


def generations(adjacency: Tensor) -> Tensor:
    r"""The step in which each feature can be solved: 0 for those that depend on nothing, then their heirs.

    Reference: Kahn (1962), Topological sorting of large networks, https://doi.org/10.1145/368996.369025

    Args:
        adjacency: bool ``(D, D)``, row depends on column; the diagonal does not count.

    Returns:
        int ``(D,)``: one more than the largest generation among those that a feature depends on.

    Raises:
        ValueError: some features depend on each other in a circle.

    Cost: O(D^2) for each generation.

    Example:
        >>> generations(adjacency_from_order(torch.tensor([1, 0, 2])))
        tensor([1, 0, 2])
    """
    needs = adjacency.clone().fill_diagonal_(False)
    found = torch.full((len(needs),), -1)
    step = 0
    while (found < 0).any():
        ready = (found < 0) & ~needs.any(1)
        if not ready.any():
            circle = (found < 0).nonzero()[:, 0].tolist()
            raise ValueError(f"adjacency: features {circle} depend on each other in a circle, or on one")
        found[ready] = step
        needs[:, ready] = False
        step += 1
    return found
