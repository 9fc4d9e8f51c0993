"""Lengths of sliding windows, safe where a signal is flat."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def magnitudes(signals: Tensor, window: int) -> Tensor:
    r"""The Euclidean length of every window, :math:`\|s[t : t + K]\|`, never zero.

    A flat window has a length far below that of any recording, and a gradient of zero: what is divided by it
    stays finite.

    Args:
        signals: tensor ``(N, F, T)``.
        window: samples K of a window, at most T.

    Returns:
        Tensor ``(N, F, T - K + 1)``.

    Cost: O(N F T K), with no cancellation between windows.

    Example:
        >>> magnitudes(torch.tensor([[[3.0, 4.0, 0.0]]]), window=2)
        tensor([[[5., 4.]]])
    """
    count, filters, times = signals.shape
    squares = signals.square().reshape(count * filters, 1, times)
    ones = torch.ones(1, 1, window, dtype=signals.dtype, device=signals.device)
    sums = functional.conv1d(squares, ones)  # (N F, 1, T - K + 1)
    smallest = torch.finfo(signals.dtype).tiny ** 0.75  # its root, and one over it, are far from the limits
    return sums.clamp_min(smallest).sqrt().view(count, filters, -1)
