"""The inverse of a row normalisation without its statistics: they are estimated from the values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from preimage.domains import Reals
from preimage.errors import NonFiniteError
from preimage.layers.norm.statistics_norm import StatisticsNorm
from preimage.layers.surjection.one_sided import OneSided, Side


class EstimatedNorm(OneSided):
    r"""A row normalisation whose inverse guesses the lost statistics, :math:`x = g(y, \hat t(y))`.

    :math:`\hat t` is a linear regression of the means and the logarithms of the scales on y, fitted in closed
    form on data. Before :meth:`fit` it says mean 0 and scale 1. A right inverse: whatever the guess,
    normalising x again gives y, up to the eps of the norm; only how close x is to the true input depends on
    the guess.

    Reference: Hastie, Tibshirani, Friedman (2009), The elements of statistical learning, section 3.4.1 (ridge
    regression), https://doi.org/10.1007/978-0-387-84858-7

    Args:
        norm: the normalisation; its parameters are shared.
        event: sizes of the events, without the batch.

    Returns:
        y of the shape of x ``(N, *event)``, and back.

    Raises:
        ShapeError: x or y has another shape.
        NonFiniteError: the data to fit hold NaN or infinity.

    Cost: O(D T) a row for D values and T statistics; fitting O(N D^2 + D^3).

    Example:
        >>> from preimage.layers import LayerNorm
        >>> layer = EstimatedNorm(LayerNorm(4), (4,))
        >>> x = 5 + torch.randn(100, 4)
        >>> error = layer.fit(x)
        >>> abs(layer.inverse(layer(x)).mean().item() - 5) < 0.3
        True
    """

    side: ClassVar[Side] = "right"  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    coefficients: Tensor
    offset: Tensor

    def __init__(self, norm: StatisticsNorm, event: Sequence[int]) -> None:
        super().__init__()
        self.norm = norm
        self.domain = self.codomain = Reals(*event)
        shape = norm.measure(norm.group(torch.zeros(1, *event))).shape[1:]  # (G, S)
        self.groups = shape[0]
        self.register_buffer("coefficients", torch.zeros(math.prod(event), shape.numel()))
        self.register_buffer("offset", torch.zeros(shape.numel()))

    def forward_values(self, x: Tensor) -> Tensor:
        """The normalised values alone."""
        return self.norm.forward_values(x)[0]

    def inverse_values(self, y: Tensor) -> Tensor:
        """Undo the normalisation by the guessed statistics."""
        return self.norm.inverse_values((y, self.estimate(y)))

    def estimate(self, y: Tensor) -> Tensor:
        """The guessed statistics ``(N, G, S)`` of normalised values ``(N, *event)``."""
        raw = (y.flatten(1) @ self.coefficients + self.offset).unflatten(1, (self.groups, -1))
        return torch.cat([raw[..., :-1], raw[..., -1:].exp()], dim=-1)

    @torch.no_grad()
    def fit(self, x: Tensor, ridge: float = 1e-3) -> Tensor:
        """Regress the statistics of data on their normalised values.

        Args:
            x: data ``(N, *event)``.
            ridge: weight of the squared coefficients, relative to the mean variance of y; not negative.

        Returns:
            Root mean square error of the means and log-scales on these data, ``(G * S,)``.

        Raises:
            NonFiniteError: the data hold NaN or infinity.
        """
        y, statistics = self.norm(x)
        if not (y.isfinite().all() and statistics.isfinite().all()):
            raise NonFiniteError("EstimatedNorm.fit: the data hold NaN or infinity; leave such rows out")
        wanted = torch.cat([statistics[..., :-1], statistics[..., -1:].log()], dim=-1).flatten(1)
        centred, target = y.flatten(1) - y.flatten(1).mean(0), wanted - wanted.mean(0)
        gram = centred.mT @ centred
        weight = max(ridge, 10 * torch.finfo(x.dtype).eps) * gram.diagonal().mean()
        penalty = weight * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        self.coefficients = torch.linalg.solve(gram + penalty, centred.mT @ target)
        self.offset = wanted.mean(0) - y.flatten(1).mean(0) @ self.coefficients
        return (target - centred @ self.coefficients).square().mean(0).sqrt()
