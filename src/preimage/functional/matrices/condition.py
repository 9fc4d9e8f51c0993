"""Condition numbers that exist for every matrix."""

from __future__ import annotations

import torch
from torch import Tensor


def condition_number(matrices: Tensor) -> Tensor:
    r"""The largest over the smallest singular value, :math:`s_{\max} / s_{\min}`, of all matrices together.

    That of the block-diagonal matrix which they make up; infinite where an entry is not finite.

    Args:
        matrices: tensor ``(..., n, n)``.

    Returns:
        A scalar.

    Cost: the singular values, O(n^3) a matrix.

    Example:
        >>> condition_number(torch.tensor([[4.0, 0.0], [0.0, 2.0]]))
        tensor(2.)
        >>> condition_number(torch.tensor([[float("inf")]]))
        tensor(inf)
    """
    finite = matrices.isfinite().all()
    singular = torch.linalg.svdvals(torch.where(finite, matrices, torch.ones_like(matrices)))
    return torch.where(finite, singular.max() / singular.min(), torch.inf)
