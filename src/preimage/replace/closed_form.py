"""The linear estimate of one value of a network from another, fitted in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.inverse.calibrate import Decoder, DecoderFit

REGRESSORS = 400
"""Most numbers of y that one estimate looks at."""

ROWS = 20_000
"""About as many positions are used as this, spread over the samples."""


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

    Cost: O(REGRESSORS^2) a position, and O(REGRESSORS^3) to solve.

    Example:
        >>> y = torch.randn(60, 3)
        >>> module = closed_form(y, 2 * y + 1, torch.arange(60))
        >>> torch.allclose(module(y), 2 * y + 1, atol=1e-2)
        True
    """
    rows = max(1, ROWS // len(x))
    fit = DecoderFit(
        x.shape[1:], y.shape[1:], local=REGRESSORS, total_regressors=REGRESSORS, targets=256, rows=rows
    )
    for some in torch.arange(len(x)).split(batch):
        fit.update(x[some], y[some], groups[some])
    decoder: Decoder = fit.solve()
    return decoder
