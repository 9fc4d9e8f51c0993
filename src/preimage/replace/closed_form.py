"""The linear estimate of one value of a network from another, fitted in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.inverse.calibrate import Decoder, DecoderFit


@torch.no_grad()
def closed_form(y: Tensor, x: Tensor, groups: Tensor, batch: int = 64) -> nn.Module:
    """The estimate of least mean square error of x from windows of y, its ridge chosen on left-out groups.

    Args:
        y: features ``(N, *tap)``.
        x: what is looked for ``(N, *source)``.
        groups: source of every row ``(N,)``.
        batch: rows counted at once.

    Returns:
        A module from y to x.

    Example:
        >>> y = torch.randn(60, 3)
        >>> module = closed_form(y, 2 * y + 1, torch.arange(60))
        >>> torch.allclose(module(y), 2 * y + 1, atol=1e-2)
        True
    """
    fit = DecoderFit(x.shape[1:], y.shape[1:], targets=256)
    for rows in torch.arange(len(x)).split(batch):
        fit.update(x[rows], y[rows], groups[rows])
    decoder: Decoder = fit.solve()
    return decoder
