"""Radial maps: everything moves towards a point or away from it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.matrices.jacobian import row_norm
from preimage.layers.residual.conditioned_vector import ConditionedVector, event_shape, numel
from preimage.layers.residual.lipschitz_network import vector_domain


class Radial(Bijection):
    r"""A radial map, :math:`y = c + (x - c)\,\frac{r + s}{r + \alpha}` with :math:`r = \|x - c\|`.

    This is :math:`x + \beta\,h(r)(x - c)` with :math:`h(r) = 1 / (\alpha + r)` and
    :math:`\beta = s - \alpha`; :math:`\alpha > 0` and :math:`s > 0`, the softplus of free parameters, make it
    invertible. Both ratios in

    .. math:: \text{log\_det} = (D - 1) \log\frac{r + s}{r + \alpha}
              + \log\frac{r^2 + 2 \alpha r + \alpha s}{(r + \alpha)^2}

    are made of positive numbers. The inverse solves a quadratic equation for r: closed and exact.

    Reference: Rezende, Mohamed (2015), Variational inference with normalizing flows, section 4.1 and
    appendix A.2, https://arxiv.org/abs/1505.05770

    Args:
        shape: number of features, or the shape of events.
        context: size of a context vector that moves the centre and both widths; 0 for none.

    Returns:
        y of the shape of x, and log_det ``(N,)``.

    Raises:
        ValueError: a size is not positive.

    Cost: O(D).

    Example:
        >>> layer = Radial(3)
        >>> x = torch.randn(2, 3)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-5)
        True
    """

    def __init__(self, shape: int | Sequence[int], context: int = 0) -> None:
        super().__init__()
        self.shape = event_shape("Radial", shape)
        self.domain = self.codomain = Reals(*self.shape)
        self.context_domain = vector_domain(context)
        self.vectors = ConditionedVector([numel(self.shape), 1, 1], context)

    def _at(self, context: Context) -> tuple[Tensor, Tensor, Tensor]:
        """The centre ``(N or 1, D)``, alpha and s ``(N or 1)``."""
        centre, raw_alpha, raw_s = self.vectors(context)
        return centre, functional.softplus(raw_alpha).squeeze(1), functional.softplus(raw_s).squeeze(1)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Stretch."""
        centre, alpha, s = self._at(context)
        away = x.flatten(1) - centre  # (N, D)
        radius = _radius(away)  # (N,)
        y = centre + away * ((radius + s) / (radius + alpha))[:, None]
        return y.view(x.shape), _log_det(radius, alpha, s, away.shape[1])

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Find the radius, and stretch back."""
        centre, alpha, s = self._at(context)
        away = y.flatten(1) - centre  # (N, D)
        radius = _radius_before(_radius(away), alpha, s)
        x = centre + away * ((radius + alpha) / (radius + s))[:, None]
        return x.view(y.shape), -_log_det(radius, alpha, s, away.shape[1])


def _radius(away: Tensor) -> Tensor:
    """The norm ``(N,)``, with slope 0 at the centre instead of none."""
    centred = (away == 0).all(1)
    return row_norm(torch.where(centred[:, None], torch.ones_like(away), away)).masked_fill(centred, 0.0)


def _radius_before(moved: Tensor, alpha: Tensor, s: Tensor) -> Tensor:
    """The positive root of ``r^2 + (s - moved) r - alpha moved = 0``, without cancellation."""
    half = (moved - s) / 2
    product = alpha * moved
    size = (half.square() + product).clamp_min(torch.finfo(moved.dtype).tiny).sqrt()
    inward = half < 0
    safe = torch.where(inward, size - half, torch.ones_like(size))
    return torch.where(inward, product / safe, half + size)


def _log_det(radius: Tensor, alpha: Tensor, s: Tensor, size: int) -> Tensor:
    excess = (s - alpha) / (radius + alpha)
    across = torch.where(
        excess > -0.5, excess.clamp_min(-0.5).log1p(), ((radius + s) / (radius + alpha)).log()
    )
    share = radius / (radius + alpha)  # r^2 + 2 alpha r + alpha s, divided by (r + alpha)^2 without squares
    along = (share.square() + (1 - share) * (2 * share + s / (radius + alpha))).log()
    return (size - 1) * across + along
