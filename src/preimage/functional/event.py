"""Small reductions and views over the event dimensions; dim 0 is always the batch."""

from __future__ import annotations

from torch import Tensor


def sum_event(x: Tensor) -> Tensor:
    r"""Sum over everything but the batch, :math:`s_n = \sum_i x_{n i}`.

    Args:
        x: tensor ``(N, ...)``.

    Returns:
        Tensor ``(N,)``; x itself where it has no event dimensions.

    Example:
        >>> import torch
        >>> sum_event(torch.ones(2, 3, 4))
        tensor([12., 12.])
    """
    return x.sum(dim=tuple(range(1, x.dim()))) if x.dim() > 1 else x


def align_event(parameter: Tensor, x: Tensor) -> Tensor:
    """View a parameter so that its dimensions meet the *first* event dimensions of x.

    A parameter ``(C,)`` meets the channels of ``(N, C)``, ``(N, C, T)`` and ``(N, C, H, W)``; one of shape
    ``(C, H, W)`` meets every position.

    Args:
        parameter: tensor of ``k`` dimensions.
        x: tensor of at least ``1 + k`` dimensions.

    Returns:
        The parameter as ``(1, *parameter.shape, 1, ..., 1)``, of as many dimensions as x.

    Example:
        >>> import torch
        >>> align_event(torch.ones(3), torch.ones(2, 3, 5, 5)).shape
        torch.Size([1, 3, 1, 1])
    """
    return parameter.reshape(1, *parameter.shape, *[1] * (x.dim() - 1 - parameter.dim()))


def zero_log_det(x: Tensor) -> Tensor:
    """The log_det of a volume-preserving map: exact zeros ``(N,)``, of the dtype and device of x.

    Example:
        >>> import torch
        >>> zero_log_det(torch.ones(2, 3))
        tensor([0., 0.])
    """
    return x.new_zeros(x.shape[0])
