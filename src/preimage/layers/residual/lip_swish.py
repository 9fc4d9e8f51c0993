"""Smooth activations that stretch nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_STEEPEST_SWISH = 1.0998394  # the largest slope of x sigmoid(x), rounded up


class LipSwish(nn.Module):
    r"""Swish with slopes of at most 1, :math:`\phi(x) = x\,\sigma(\beta x) / 1.1`, :math:`\beta > 0` learnt.

    Its second derivative does not vanish where the slope is close to 1, as that of ELU or tanh does:
    gradients of log_dets need it.

    Reference: Chen, Behrmann, Duvenaud, Jacobsen (2019), Residual flows, section 3.4,
    https://arxiv.org/abs/1906.02735

    Args:
        steepness: what :math:`\beta` starts as, positive, before softplus.

    Returns:
        Tensor of the shape of x.

    Cost: O(numel(x)).

    Example:
        >>> round(LipSwish()(torch.tensor(100.0)).item(), 3)
        90.909
    """

    grows: int = 1
    """How many outputs there are for each input."""

    def __init__(self, steepness: float = 0.5) -> None:
        super().__init__()
        self.raw_steepness = nn.Parameter(torch.tensor([steepness]))

    def forward(self, x: Tensor) -> Tensor:
        """phi(x)."""
        return x * torch.sigmoid(x * functional.softplus(self.raw_steepness)) / 1.1


class ConcatenatedLipSwish(nn.Module):
    r"""Both sides of swish, :math:`\phi(x) = [x\,\sigma(\beta x),\; -x\,\sigma(-\beta x)] / 1.1044`.

    Twice as many channels come out, and gradients keep their length: the slopes of both sides add up to 1, so
    that the whole has slopes between 0.64 and 1. Stretches nothing in the Euclidean norm.

    Reference: Perugachi-Diaz, Tomczak, Bhulai (2021), Invertible DenseNets with concatenated LipSwish,
    https://arxiv.org/abs/2102.02694

    Args:
        steepness: what :math:`\beta` starts as, before softplus.

    Returns:
        Tensor with twice as many channels, dimension 1.

    Cost: O(numel(x)).

    Example:
        >>> ConcatenatedLipSwish()(torch.zeros(5, 3)).shape
        torch.Size([5, 6])
    """

    grows: int = 2
    """How many outputs there are for each input."""

    def __init__(self, steepness: float = 0.5) -> None:
        super().__init__()
        self.raw_steepness = nn.Parameter(torch.tensor([steepness]))

    def forward(self, x: Tensor) -> Tensor:
        """Both sides, along dimension 1."""
        gate = torch.sigmoid(x * functional.softplus(self.raw_steepness))
        longest = (_STEEPEST_SWISH**2 + (_STEEPEST_SWISH - 1) ** 2) ** 0.5
        return torch.cat([x * gate, x * (gate - 1)], dim=1) / longest
