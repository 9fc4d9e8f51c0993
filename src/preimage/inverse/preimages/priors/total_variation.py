"""Flat areas with sharp edges as a prior for preimages."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.preimages.priors.objective import Objective

SMOOTHING = 1e-4
"""Differences below this share of the largest input count quadratically."""


@final
class TotalVariation(Objective):
    """Flat areas with edges: mean of ``sqrt(|difference of neighbours|^2 + e^2)``.

    Reference: L. Rudin, S. Osher, E. Fatemi (1992), https://doi.org/10.1016/0167-2789(92)90242-F.

    Args:
        shape: event shape ``(C, H, W)`` or ``(C, L)`` as which an input is read; as it is when None.

    Example:
        >>> flat, striped = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
        >>> striped[..., ::2] = -1
        >>> prior = TotalVariation()
        >>> bool(prior.value(flat) < 0.01 * prior.value(striped))
        True
    """

    def __init__(self, shape: tuple[int, ...] | None = None) -> None:
        self.shape = shape

    def value(self, x: Tensor) -> Tensor:
        """The mean over all places, ``(N,)``."""
        picture = x if self.shape is None else x.reshape(-1, *self.shape)
        if picture.dim() < 3:
            raise ShapeError(
                f"an input of shape {tuple(x.shape[1:])} has no neighbours; write TotalVariation((C, H, W))"
            )
        axes = range(2, picture.dim())
        steps = [
            picture.diff(dim=axis, append=picture.narrow(axis, picture.shape[axis] - 1, 1)) for axis in axes
        ]
        small = SMOOTHING * picture.detach().abs().amax().clamp_min(1e-6)
        return (torch.stack(steps).square().sum(0) + small**2).sqrt().flatten(1).mean(1)
