"""Whitening that follows the statistics of recent batches."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.checks import Context, values_are_visible
from preimage.errors import NonFiniteError, NotInvertibleError
from preimage.functional.event import align_event
from preimage.functional.matrices.whitening import WHITENINGS, whitening_matrix
from preimage.functional.statistics.moments import feature_covariance, may_have_rows
from preimage.layers.linear.feature_linear import FeatureLinear


class AdaptiveWhitening(FeatureLinear):
    r"""Whitening, :math:`y_p = K (x_p - \mu)` with :math:`K (C + \epsilon I) K^T = I`, from recent batches.

    In training mode every forward pass remembers the mean and covariance of its batch, over all positions and
    processes, and forgets the oldest; now and then :math:`\mu` and K are computed anew from all remembered
    rows. In evaluation mode, and in the inverse, nothing changes. The inverse colours: it gives standard
    normal numbers the remembered mean and covariance. log_det is :math:`-\frac12 \log\det(C + \epsilon I)`
    times the number of positions. :math:`\mu` and K are buffers, constants for every gradient.

    Reference: Kessy, Lewin, Strimmer (2018), Optimal whitening and decorrelation,
    https://doi.org/10.1080/00031305.2016.1277159

    Args:
        features: number C of features or channels. Starts as the identity.
        method: ``"zca"``, ``"pca"``, ``"cholesky"``, ``"zca_cor"`` or ``"pca_cor"``, see
            :func:`preimage.functional.whitening_matrix`.
        memory: number of batches to remember, at least 1.
        adapt_every: adapt at the first batch and then at every so many, at least 1; None to adapt only when
            :meth:`adapt` or :meth:`adapt_step` is called.
        eps: added to every variance, positive, in squared units of x.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.
        NonFiniteError: a batch in training mode holds NaN or infinity.
        ValueError: another method, or a number out of range.

    Cost: C^2 a position; O(C^3) for the log_det and the inverse, and for adapting.

    Example:
        >>> layer = AdaptiveWhitening(2)
        >>> x = torch.randn(1000, 2) @ torch.tensor([[2.0, 1.0], [0.0, 0.5]]) + 5
        >>> y = layer(x)
        >>> torch.allclose(torch.cov(y.mT, correction=0), torch.eye(2), atol=1e-3)
        True
        >>> torch.allclose(layer.inverse(y), x, atol=1e-3)
        True
    """

    centre: Tensor
    whitener: Tensor
    rows: Tensor
    means: Tensor
    covariances: Tensor
    observed: Tensor

    def __init__(
        self,
        features: int,
        method: str = "zca",
        memory: int = 5,
        adapt_every: int | None = 1,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(features, bias=False)
        if method not in WHITENINGS:
            wanted = ", ".join(map(repr, WHITENINGS))
            raise ValueError(f"AdaptiveWhitening: method is {method!r}, wanted one of {wanted}")
        for name, number in (("memory", memory), ("adapt_every", adapt_every)):
            if number is not None and number < 1:
                raise ValueError(f"AdaptiveWhitening: {name} is {number}, wanted at least 1")
        if eps <= 0:
            raise ValueError(f"AdaptiveWhitening: eps is {eps}, wanted a positive number, such as 1e-5")
        self.method, self.adapt_every, self.eps = method, adapt_every, eps
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("whitener", torch.eye(features))
        self.register_buffer("rows", torch.zeros(memory))
        self.register_buffer("means", torch.zeros(memory, features))
        self.register_buffer("covariances", torch.zeros(memory, features, features))
        self.register_buffer("observed", torch.tensor(0))

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Remember and adapt in training mode; then centre and whiten."""
        if self.training and may_have_rows(x):
            self._follow(x)
        return super().forward_and_log_det(x - align_event(self.centre, x))

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Colour and shift back; never adapts."""
        x, log_det = super().inverse_and_log_det(y)
        return x + align_event(self.centre, x), log_det

    def multiply(self, rows: Tensor) -> Tensor:
        """K applied to rows."""
        return rows @ self.whitener.mT

    def solve(self, rows: Tensor) -> Tensor:
        """One factorisation of K, so that the round trip does not depend on how K was rounded."""
        factors, pivots, _ = torch.linalg.lu_factor_ex(self.whitener)
        return torch.linalg.lu_solve(factors, pivots, rows, left=False, adjoint=True)

    def log_abs_det(self) -> Tensor:
        """log abs det K."""
        return torch.linalg.slogdet(self.whitener).logabsdet

    def offset(self) -> Tensor:
        """Minus the image of the centre."""
        return -(self.whitener @ self.centre)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean ``(C,)`` and covariance C ``(C, C)`` of all remembered rows; NaN where there are none."""
        share = self.rows / self.rows.sum()
        mean = share @ self.means
        offset = self.means - mean  # (memory, C)
        within = (share[:, None, None] * self.covariances).sum(0)
        return mean, within + (share[:, None] * offset).mT @ offset

    def observe(self, x: Tensor) -> None:
        """Remember the statistics of a batch and forget the oldest one.

        Args:
            x: data ``(N, C, ...)``, N >= 1.

        Raises:
            NonFiniteError: they are not finite.
        """
        mean, covariance, rows = feature_covariance(x)
        if values_are_visible() and not covariance.isfinite().all():
            raise NonFiniteError(
                "AdaptiveWhitening: the batch holds NaN, infinity, or numbers whose squares overflow;"
                " clean or scale the data"
            )
        slot = torch.arange(len(self.rows), device=x.device) == self.observed % len(self.rows)
        self.rows = torch.where(slot, rows, self.rows)
        self.means = torch.where(slot[:, None], mean, self.means)
        self.covariances = torch.where(slot[:, None, None], covariance, self.covariances)
        self.observed = self.observed + 1

    def adapt(self) -> None:
        """Compute the centre and K from all remembered rows.

        Raises:
            NotInvertibleError: no batch was observed yet.
        """
        self._require_memory()
        self.centre, self.whitener = self._solution()

    @torch.no_grad()
    def adapt_step(self) -> Tensor:
        r"""Move K one step towards whitening, without factorising the covariance.

        A natural-gradient step on the divergence of the whitened data from the standard normal, both taken
        as Gaussian, :math:`\frac12(\operatorname{tr} M - \log\det M - C)` with
        :math:`M = K (C + \epsilon I) K^T`:

        .. math:: K \leftarrow K + \frac{1}{3 \lambda - 1} (I - M) K, \qquad
            \lambda = \max(1, \lambda_{\max}(M)).

        Each step keeps the order of the eigenvalues of M; near the solution it doubles the number of right
        digits (Newton-Schulz). K stays close to what it was: from the identity it converges to ZCA.

        Reference: Cardoso, Laheld (1996), Equivariant adaptive source separation,
        https://doi.org/10.1109/78.553476

        Returns:
            The divergence before the step, in nats, a scalar.

        Raises:
            NotInvertibleError: no batch was observed yet.

        Cost: O(C^3), products and the largest eigenvalue.
        """
        self._require_memory()
        self.centre, covariance = self.statistics()
        identity = torch.eye(self.features, dtype=covariance.dtype, device=covariance.device)
        present = self.whitener @ (covariance + self.eps * identity) @ self.whitener.mT
        largest = torch.linalg.eigvalsh(present)[-1].clamp_min(1)
        self.whitener = self.whitener + (identity - present) @ self.whitener / (3 * largest - 1)
        return (present.trace() - torch.linalg.slogdet(present).logabsdet - self.features) / 2

    @torch.no_grad()
    def _solution(self) -> tuple[Tensor, Tensor]:
        """Centre and K for the remembered rows; float64 inside, for features of very different sizes."""
        mean, covariance = self.statistics()
        identity = torch.eye(self.features, dtype=torch.float64, device=mean.device)
        whitener = whitening_matrix(covariance.double() + self.eps * identity, self.method)
        return mean, whitener.to(mean.dtype)

    def _follow(self, x: Tensor) -> None:
        """Observe, and adapt where it is due; compiled code computes both cases and selects."""
        self.observe(x)
        if self.adapt_every is None:
            return
        due = (self.observed - 1) % self.adapt_every == 0
        if not values_are_visible():
            centre, whitener = self._solution()
            self.centre = torch.where(due, centre, self.centre)
            self.whitener = torch.where(due, whitener, self.whitener)
        elif due:
            self.adapt()

    def _require_memory(self) -> None:
        if values_are_visible() and self.observed == 0:
            raise NotInvertibleError(
                "AdaptiveWhitening: no batch was observed; run forward in training mode, or call observe(x)"
            )
