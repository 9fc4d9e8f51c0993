"""The check that a factorised weight still has its rank."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.checks import values_are_visible
from preimage.errors import NotInvertibleError


def refuse_lost_rank(where: str, pivots: Tensor, weight: Tensor) -> None:
    """Raise where a factorisation shows that a matrix is singular up to rounding, in eager mode.

    A pivot that is far below the size of its column is what is left after a complete cancellation. Where
    values cannot be looked at, the answer is not finite or its certificate fails.

    Args:
        where: the layer and method, for the message.
        pivots: diagonal of the triangular factor ``(n,)``.
        weight: the matrix that was factorised ``(m, n)``.

    Raises:
        NotInvertibleError: a pivot is zero, or smaller than ``4 sqrt(m) eps`` times the length of its column.

    Example:
        >>> import torch
        >>> refuse_lost_rank("here", torch.tensor([1.0, 1e-9]), torch.tensor([1.0, 1e-9]).diag())
    """
    if not values_are_visible():
        return
    pivots, lengths = pivots.detach().abs(), torch.linalg.vector_norm(weight.detach(), dim=0)
    lost = pivots <= 4 * weight.shape[0] ** 0.5 * torch.finfo(pivots.dtype).eps * lengths
    if lost.any():
        raise NotInvertibleError(
            f"{where}: the weight has lost its rank: {int(lost.sum())} of {len(pivots)} pivots are zero up to"
            f" rounding (smallest {pivots.min():.2e}); use a layer that cannot become singular, such as"
            " SVDLinear or LULinear, or penalise the condition number in training"
        )
