"""A linear layer that starts by making the features of the first batch uncorrelated."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Tensor

from preimage.checks import Context, values_are_visible
from preimage.errors import NonFiniteError, NotInvertibleError
from preimage.functional.event import align_event
from preimage.functional.matrices.whitening import whitening_matrix
from preimage.functional.statistics.moments import feature_covariance, may_have_rows
from preimage.layers.linear.feature_linear import FeatureLinear
from preimage.layers.linear.triangular_linear import LowerTriangularLinear

LEAST_SHARE = 1e-5
"""The least shrinkage of correlations, so that columns that repeat each other do not blow up."""

FEWEST_ROWS = 8
"""With fewer rows correlations are not used at all."""


@final
class WhiteningNorm(FeatureLinear):
    r"""Whiten, then a learned triangular map, :math:`y = L\,K (x - \mu) + b`, starting from the first batch.

    The first forward pass in training mode sets :math:`\mu` and :math:`K`, so that the batch has mean 0 and
    no correlations: K is the lower Cholesky whitening of the covariance, whose correlations are shrunk
    towards 0 by the share with which one half of the batch predicts the other half best. They stay as they
    are; L and b start as the identity and 0, and are trained in the whitened coordinates, where every
    direction has the same scale. Feature i sees the features before it, so a flow starts where the best
    linear prediction would end. Before the first batch the layer is L and b alone. log_det is
    :math:`\log\det L + \log\det K` times the number of positions.

    Reference: Kessy, Lewin, Strimmer (2018), Optimal whitening and decorrelation,
    https://doi.org/10.1080/00031305.2016.1277159; the shrinkage of Ledoit, Wolf (2004),
    https://doi.org/10.1016/S0047-259X(03)00096-4; the start from data of Kingma, Dhariwal (2018),
    https://arxiv.org/abs/1807.03039

    Args:
        features: number C of features or channels.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.
        NonFiniteError: the first batch holds NaN or infinity.
        NotInvertibleError: the inverse is asked for before the first batch, in training mode and with
            gradients.

    Cost: two triangular products a position; O(C^3) for the first batch.

    Example:
        >>> layer = WhiteningNorm(2)
        >>> x = torch.randn(5000, 2) @ torch.tensor([[3.0, 3.0], [0.0, 1.0]])
        >>> torch.allclose(torch.cov(layer(x).detach().mT), torch.eye(2), atol=0.01)
        True
    """

    centre: Tensor
    whitener: Tensor
    initialised: Tensor

    def __init__(self, features: int) -> None:
        super().__init__(features, bias=True)
        self.linear = LowerTriangularLinear(features, bias=False)
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("whitener", torch.eye(features))
        self.register_buffer("initialised", torch.tensor(False))
        self._ready = False  # the buffer as a plain bool, on which compiled code may branch

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Centre, whiten and multiply; the first batch in training mode sets the first two."""
        if self.training and not self._ready and may_have_rows(x):
            self.initialise(x)
        return super().forward_and_log_det(x - align_event(self.centre, x))

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Two triangular solves, and the centre back."""
        if self.training and not self._ready and torch.is_grad_enabled():
            raise NotInvertibleError(
                "WhiteningNorm.inverse: the layer waits for its first batch, which will change it; run"
                " forward on a batch of data first, or call .eval() to use it as it is"
            )
        x, log_det = super().inverse_and_log_det(y)
        return x + align_event(self.centre, x), log_det

    def multiply(self, rows: Tensor) -> Tensor:
        """K, then L."""
        return self.linear.multiply(rows @ self.whitener.mT)

    def solve(self, rows: Tensor) -> Tensor:
        """Back through L, then through K."""
        return torch.linalg.solve_triangular(
            self.whitener.mT, self.linear.solve(rows), upper=True, left=False
        )

    def log_abs_det(self) -> Tensor:
        """Of both."""
        return self.linear.log_abs_det() + self.whitener.diagonal().log().sum()

    def offset(self) -> Tensor:
        """The shift less the image of the centre."""
        shift = torch.zeros_like(self.centre) if self.bias is None else self.bias
        return shift - (self.matrix.double() @ self.centre.double()).to(shift.dtype)

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set centre and whitener by a batch, whether or not they were set before.

        Args:
            x: data ``(N, C, ...)``, N >= 1.

        Raises:
            NonFiniteError: a mean or covariance is not finite.
        """
        x = x.detach().double()
        mean, covariance, rows = feature_covariance(x)
        finite = mean.isfinite().all() & covariance.isfinite().all()
        if values_are_visible() and not finite:
            raise NonFiniteError(
                "WhiteningNorm: the first batch holds NaN, infinity, or numbers whose squares overflow; clean"
                " or scale the data"
            )
        size = covariance.diagonal().sqrt()
        least = 10 * torch.finfo(self.whitener.dtype).eps * mean.abs()
        deviation = torch.where(size > least, size, 1.0)  # a constant feature is only shifted
        pairs = deviation * deviation[:, None]
        halves = [feature_covariance(half).covariance / pairs for half in (x[::2], x[1::2])]
        share = torch.where(rows < FEWEST_ROWS, 1.0, best_share(*halves))
        whitener = whitening_matrix(shrunk(covariance / pairs, share), "cholesky") / deviation
        identity = torch.eye(len(mean), dtype=whitener.dtype, device=whitener.device)
        self.centre.copy_(torch.where(finite, mean, 0.0))
        self.whitener.copy_(torch.where(finite, whitener, identity))
        self.settle()

    def settle(self) -> None:
        """Take the layer as it is for the start, for training that never shows it data."""
        self.initialised.fill_(True)
        self._ready = True

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._ready = not self.initialised.is_meta and bool(self.initialised)


def shrunk(correlation: Tensor, share: Tensor) -> Tensor:
    r"""Correlations towards 0, :math:`(1 - s) R + s I`, with a diagonal of 1.

    Reference: Ledoit, Wolf (2004), https://doi.org/10.1016/S0047-259X(03)00096-4

    Args:
        correlation: R ``(C, C)``.
        share: s between 0 and 1, a scalar.

    Returns:
        ``(C, C)``, positive definite for a positive share.

    Example:
        >>> shrunk(torch.tensor([[1.0, 0.5], [0.5, 1.0]]), torch.tensor(0.5))
        tensor([[1.0000, 0.2500],
                [0.2500, 1.0000]])
    """
    identity = torch.eye(len(correlation), dtype=correlation.dtype, device=correlation.device)
    return (1 - share) * (correlation * (1 - identity)) + identity


def best_share(first: Tensor, second: Tensor) -> Tensor:
    r"""The share :math:`s` for which :func:`shrunk` of one half of the rows is most likely to the other half.

    With eigenvalues :math:`\lambda_i` of the first covariance and variances :math:`v_i` of the second along
    its eigenvectors, the least :math:`\sum_i \log \mu_i + v_i / \mu_i` over a grid of s, where
    :math:`\mu_i = (1 - s) \lambda_i + s`.

    Args:
        first, second: covariances of two halves of standardised rows ``(C, C)``.

    Returns:
        The share, a scalar; 1 where a half is not finite.

    Cost: O(C^3).

    Example:
        >>> strong = torch.tensor([[1.0, 0.9], [0.9, 1.0]])
        >>> best_share(strong, strong) < 1e-4, best_share(strong, torch.eye(2)) > 0.9
        (tensor(True), tensor(True))
    """
    usable = first.isfinite().all() & second.isfinite().all()
    values, vectors = torch.linalg.eigh(torch.where(usable, first, torch.zeros_like(first)))
    variances = torch.einsum("ci,cd,di->i", vectors, second, vectors)
    shares = torch.logspace(math.log10(LEAST_SHARE), 0, 41, dtype=first.dtype, device=first.device)
    expected = (1 - shares[:, None]) * values.clamp_min(0) + shares[:, None]  # (41, C)
    best = shares[(expected.log() + variances / expected).sum(1).argmin()]
    return torch.where(usable, best, 1.0)
