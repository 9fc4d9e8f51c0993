"""Drop the sign."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.domains import Interval, Reals
from preimage.functional.event import sum_event
from preimage.layers.surjection.surjection import Likelihood, Surjection, check_values


class AbsoluteValueSurjection(Surjection):
    r"""Absolute value, :math:`y = |x|`; the way back draws the sign, :math:`x = s y` with :math:`s \sim p(s
    \mid y)`.

    The log-weight of dropping is :math:`\sum \log p(s \mid y)`, and the log-density is exact: a density of x
    with the symmetry built in. ``.inv`` is the generative form: a latent of either sign for data that have
    none.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, table 3 (absolute value),
    https://arxiv.org/abs/2007.02731

    Args:
        conditioner: module from y ``(N, ...)`` to the log-odds of a positive sign, of the shape of y; both
            signs are equally likely by default.

    Returns:
        y of the shape of x ``(N, ...)``, and the log-weight ``(N,)``.

    Raises:
        ShapeError: x is not a floating-point tensor.
        DomainError: a y is negative. Let the layers behind produce positive values only, ``Exp().inv`` for
            one.

    Cost: one run of the conditioner.

    Example:
        >>> surjection = AbsoluteValueSurjection()
        >>> y, log_weight = surjection.forward_and_log_weight(torch.tensor([[-3.0, 2.0]]))
        >>> y, round(log_weight.exp().item(), 4), surjection.likelihood
        (tensor([[3., 2.]]), 0.25, 'exact')
    """

    def __init__(self, conditioner: nn.Module | None = None) -> None:
        super().__init__()
        self.conditioner = conditioner

    @property
    def likelihood(self) -> Likelihood:
        """Forward drops."""
        return "exact"

    def forward_and_log_weight(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Drop the signs."""
        check_values("AbsoluteValueSurjection.forward_and_log_weight", "x", x, Reals(), self)
        y = x.abs()
        return y, self._log_prob(torch.where(x < 0, -1.0, 1.0), y)

    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw the signs."""
        domain = Interval(0, torch.inf, closed=True)
        check_values("AbsoluteValueSurjection.inverse_and_log_weight", "y", y, domain, self)
        uniform = torch.rand(y.shape, generator=generator, dtype=y.dtype, device=y.device)
        sign = torch.where(uniform < torch.sigmoid(self._log_odds(y)), 1.0, -1.0).to(y)
        return sign * y, -self._log_prob(sign, y)

    def _log_odds(self, y: Tensor) -> Tensor:
        return torch.zeros_like(y) if self.conditioner is None else self.conditioner(y).to(y.dtype)

    def _log_prob(self, sign: Tensor, y: Tensor) -> Tensor:
        return sum_event(functional.logsigmoid(sign * self._log_odds(y)))
