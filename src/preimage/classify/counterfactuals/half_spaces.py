"""The point of an intersection of half-spaces that is nearest to zero."""

from __future__ import annotations

import torch
from torch import Tensor


def nearest_point(normals: Tensor, offsets: Tensor, sweeps: int = 500, tolerance: float = 1e-10) -> Tensor:
    r"""The shortest vectors that satisfy linear inequalities.

    .. math:: \min_\delta \tfrac12 \|\delta\|^2 \quad \text{so that} \quad a_k^\top \delta \ge r_k

    By coordinate ascent on the multipliers, :math:`\delta = \sum_k \lambda_k a_k` with
    :math:`\lambda \ge 0`.

    Reference: Hildreth (1957), A quadratic programming procedure, https://doi.org/10.1002/nav.3800040113

    Args:
        normals: a ``(N, K, D)``; zero rows are constraints that do not depend on the vector, and left out.
        offsets: r ``(N, K)``.
        sweeps: over the constraints at most.
        tolerance: largest relative change of the multipliers at which it stops.

    Returns:
        Vectors ``(N, D)``; where the inequalities contradict each other, a vector that fails some of them.

    Cost: O(N K^2 D), then O(N K^2) a sweep.

    Example:
        >>> normals = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
        >>> nearest_point(normals, torch.tensor([[1.0, -3.0]]))
        tensor([[1., 0.]])
    """
    gram = normals @ normals.mT  # (N, K, K)
    diagonal = gram.diagonal(dim1=1, dim2=2)
    scale = diagonal.clamp_min(torch.finfo(gram.dtype).tiny)
    multipliers = torch.zeros_like(offsets)
    for _ in range(sweeps):
        before = multipliers.clone()
        for k in range(offsets.shape[1]):
            short = offsets[:, k] - (gram[:, k] * multipliers).sum(1)
            moved = (multipliers[:, k] + short / scale[:, k]).clamp_min(0)
            multipliers[:, k] = torch.where(diagonal[:, k] > 0, moved, torch.zeros_like(moved))
        if (multipliers - before).abs().max() <= tolerance * (1 + multipliers.abs().max()):
            break
    return (normals * multipliers[:, :, None]).sum(1)
