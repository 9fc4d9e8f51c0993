"""How stated probabilities are put into bins."""

from __future__ import annotations

import abc

import torch
from torch import Tensor


class Bins(abc.ABC):
    """Bins of the interval from 0 to 1.

    Args:
        count: number of bins B, one or more.

    Raises:
        ValueError: the number is not positive.

    Example:
        >>> len(EqualWidthBins(10).edges(torch.zeros(3)))
        9
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"{type(self).__name__}: count is {count}, wanted one or more, such as 15")
        self.count = count

    @abc.abstractmethod
    def edges(self, confidence: Tensor) -> Tensor:
        """The inner edges, rising, ``(B - 1,)``, for confidences ``(N,)``."""


class EqualWidthBins(Bins):
    r"""Bins of one width, :math:`(b / B, (b + 1) / B]`; most are nearly empty for a good classifier.

    Reference: Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks,
    https://arxiv.org/abs/1706.04599

    Args:
        count: number of bins, one or more.

    Raises:
        ValueError: the number is not positive.

    Example:
        >>> EqualWidthBins(4).edges(torch.zeros(1))
        tensor([0.2500, 0.5000, 0.7500])
    """

    def edges(self, confidence: Tensor) -> Tensor:
        """Evenly spaced."""
        return torch.linspace(0, 1, self.count + 1, dtype=confidence.dtype, device=confidence.device)[1:-1]


class EqualMassBins(Bins):
    """Bins that hold equally many rows: adaptive, so that every bin's accuracy is known equally well.

    Reference: Nixon, Dusenberry, Zhang, Jerfel, Tran (2019), Measuring calibration in deep learning,
    https://arxiv.org/abs/1904.01685

    Args:
        count: number of bins, one or more.

    Raises:
        ValueError: the number is not positive.

    Example:
        >>> EqualMassBins(2).edges(torch.tensor([0.1, 0.2, 0.8, 0.9]))
        tensor([0.5000])
    """

    def edges(self, confidence: Tensor) -> Tensor:
        """Quantiles."""
        shares = torch.arange(1, self.count, dtype=confidence.dtype, device=confidence.device) / self.count
        return torch.quantile(confidence, shares)
