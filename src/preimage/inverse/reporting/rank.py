"""Rank and conditioning of a linear map without preparing its inverse."""

from __future__ import annotations

import math

import torch

from preimage.inverse.linear import Affine, LinearMap, fold
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import pseudo_inverse
from preimage.inverse.solvers.pseudo_inverses.routes.materialised import Materialised, matrices


def facts_of(affine: Affine) -> Facts:
    """What is known of a map's linear part.

    Where the pseudo-inverse would write the matrix down, its singular values alone are taken, at a quarter of
    the price of the inverse.

    Args:
        affine: the map.

    Raises:
        NotInvertibleError: when no route knows the map.
    """
    linear = fold(affine.linear)
    solver = pseudo_inverse(affine)
    return _singular_values(linear) if isinstance(solver, Materialised) else solver.facts


def _singular_values(linear: LinearMap) -> Facts:
    matrix = matrices(linear).detach()
    values = torch.linalg.svdvals(matrix)
    cutoff = torch.finfo(matrix.dtype).eps * max(matrix.shape[-2:]) * values.max()
    kept = values[values > cutoff]
    condition = (kept.max() / kept.min()).item() if kept.numel() else math.inf
    return Facts(linear.in_size, linear.out_size, kept.numel(), condition, certified=True)
