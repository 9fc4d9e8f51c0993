"""Coefficients of recordings that are independent over frequencies, with a covariance for every class."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.errors import ShapeError
from preimage.flows.bases.class_conditional import ClassConditional
from preimage.flows.bases.class_conditional.contract import check_classes


@final
class StationaryClassConditional(ClassConditional):
    r"""Normal coefficients: every class has a mean and, at every frequency, a covariance of the channels.

    .. math:: \log p(z \mid c) = \sum_{k=0}^{T-1} \log \mathcal N\big(z_{\cdot k};\, \mu_{c \cdot k},\,
        L_{ck} L_{ck}^\top\big)

    Coefficients of a stationary signal at different frequencies are nearly uncorrelated, so this is nearly
    its exact likelihood. Evidence for a class is quadratic: it sees strengths and synchrony, not means alone.

    Reference: Whittle (1953), The analysis of multiple stationary time series,
    https://doi.org/10.1111/j.2517-6161.1953.tb00131.x

    Args:
        channels: C, 1 or more.
        times: T, the number of frequencies too, 1 or more.
        classes: number of classes K.

    Raises:
        ShapeError: there is no channel, or no sample.
        ValueError: there are fewer than two classes.

    Cost: O(N K T C^2); K T C^2 numbers.

    Example:
        >>> base = StationaryClassConditional(2, 8, classes=3)
        >>> base.class_log_prob(torch.zeros(5, 2, 8)).shape, base.class_centres().shape
        (torch.Size([5, 3]), torch.Size([3, 2, 8]))
    """

    def __init__(self, channels: int, times: int, classes: int) -> None:
        if channels < 1 or times < 1:
            raise ShapeError(
                f"StationaryClassConditional: got {channels} channels and {times} samples, wanted 1 or more"
            )
        check_classes("StationaryClassConditional", classes)
        super().__init__((channels, times))
        self.classes = classes
        self.location = nn.Parameter(torch.zeros(classes, channels, times))
        self.below = nn.Parameter(torch.zeros(classes, times, channels, channels))
        self.log_diagonal = nn.Parameter(torch.zeros(classes, times, channels))

    def factors(self) -> Tensor:
        """L of every class and frequency, lower triangular ``(K, T, C, C)``."""
        return self.below.tril(-1) + torch.diag_embed(self.log_diagonal.exp())

    def class_log_prob(self, z: Tensor) -> Tensor:
        """The log-density of every row under every class ``(N, K)``, in nats."""
        tables = [self._log_prob(z, label, factor) for label, factor in enumerate(self.factors())]
        return torch.stack(tables, dim=1)

    def class_centres(self) -> Tensor:
        """The means ``(K, C, T)``."""
        return self.location

    @torch.no_grad()
    def set_normals(self, means: Tensor, covariances: Tensor) -> None:
        """Take means ``(K, C, T)`` and covariances ``(K, T, C, C)``.

        Raises:
            LinAlgError: a covariance is not positive definite.
        """
        factor = torch.linalg.cholesky(covariances)
        self.location.copy_(means)
        self.below.copy_(factor.tril(-1))
        self.log_diagonal.copy_(factor.diagonal(dim1=-2, dim2=-1).log())

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """Coefficients of recordings of the classes that the context names ``(rows, C, T)``."""
        labels = self.labels(context)
        noise = self.location.new_empty(rows, *self.location.shape[1:]).normal_(generator=generator)
        drawn = self.location[labels]  # (N, C, T)
        for label, factor in enumerate(self.factors()):
            chosen = labels == label
            drawn[chosen] += torch.einsum("tab,nbt->nat", factor, noise[chosen])
        return drawn

    def _log_prob(self, z: Tensor, label: int, factor: Tensor) -> Tensor:
        away = (z - self.location[label]).permute(2, 1, 0)  # (T, C, N)
        white = torch.linalg.solve_triangular(factor, away, upper=False)
        constant = self.log_diagonal[label].sum() + 0.5 * factor[..., 0].numel() * math.log(2 * math.pi)
        return -0.5 * white.square().sum((0, 1)) - constant
