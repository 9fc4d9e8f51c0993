"""Planar maps: everything moves along one direction, by an amount that depends on one other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.roots import newton_root
from preimage.layers.residual.conditioned_vector import ConditionedVector, event_shape, numel
from preimage.layers.residual.lipschitz_network import vector_domain


class Planar(Bijection):
    r"""A planar map, :math:`y = x + \hat u \tanh(w^T x + b)`.

    The part of u along w is bent so that :math:`w^T \hat u = \operatorname{softplus}(w^T u) - 1 > -1`: the
    map is increasing along w, whatever the parameters. Then

    .. math:: \text{log\_det} = \log(1 + w^T \hat u\, \tanh'(a))
              = \log(\tanh^2 a + \operatorname{softplus}(w^T u)\,\operatorname{sech}^2 a),
              \qquad a = w^T x + b,

    a sum of two positive numbers. The inverse needs one number, :math:`w^T x`, the root of an increasing
    function that bends one way only on each side of 0; Newton's steps from the right side cannot fail.

    Reference: Rezende, Mohamed (2015), Variational inference with normalizing flows, section 4.1 and
    appendix A.1, https://arxiv.org/abs/1505.05770

    Args:
        shape: number of features, or the shape of events.
        context: size of a context vector that moves u, w and b; 0 for none.

    Returns:
        y of the shape of x, and log_det ``(N,)``.

    Raises:
        ValueError: a size is not positive.

    Cost: O(D); the inverse twelve evaluations of tanh more.

    Example:
        >>> layer = Planar(3)
        >>> x = torch.randn(2, 3)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-5)
        True
    """

    def __init__(self, shape: int | Sequence[int], context: int = 0) -> None:
        super().__init__()
        self.shape = event_shape("Planar", shape)
        self.domain = self.codomain = Reals(*self.shape)
        self.context_domain = vector_domain(context)
        size = numel(self.shape)
        self.vectors = ConditionedVector([size, size, 1], context, deviation=0.3)

    def _at(self, context: Context) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """u hat, w and b, each ``(N or 1, ...)``, and softplus of w^T u, ``(N or 1, 1)``."""
        u, w, b = self.vectors(context)
        along = (w * u).sum(1, keepdim=True)
        grown = functional.softplus(along)
        length = w.square().sum(1, keepdim=True).clamp_min(torch.finfo(w.dtype).tiny)
        return u + (grown - 1 - along) * w / length, w, b, grown

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Move."""
        u, w, b, grown = self._at(context)
        flat = x.flatten(1)
        position = (w * flat).sum(1, keepdim=True) + b  # (N, 1)
        return (flat + u * position.tanh()).view(x.shape), _log_det(position, grown)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Find the position along w, and move back."""
        u, w, b, grown = self._at(context)
        flat = y.flatten(1)
        moved = (w * flat).sum(1, keepdim=True) + b  # (N, 1): position + (w^T u) tanh(position)
        position = _position(moved, grown)
        return (flat - u * position.tanh()).view(y.shape), -_log_det(position, grown)


def _log_det(position: Tensor, grown: Tensor) -> Tensor:
    """``(N,)``; sech^2 as a product that keeps its digits far out."""
    slope = 4 * torch.sigmoid(2 * position) * torch.sigmoid(-2 * position)  # (N, 1)
    return (position.tanh().square() + grown * slope).log().squeeze(1)


def _position(moved: Tensor, grown: Tensor) -> Tensor:
    """The root p of ``p + (grown - 1) tanh(p) = moved``, ``(N, 1)``."""

    def function(p: Tensor) -> tuple[Tensor, Tensor]:
        slope = 4 * torch.sigmoid(2 * p) * torch.sigmoid(-2 * p)
        return p + (grown - 1) * p.tanh(), p.tanh().square() + grown * slope

    with torch.no_grad():
        start = _start(moved.abs(), grown) * moved.sign()
    return newton_root(function, moved, start, steps=10)


def _start(size: Tensor, grown: Tensor) -> Tensor:
    """Where Newton's steps towards the positive root cannot overshoot.

    The function is concave for grown > 1 and convex below: the start must lie before the root, or behind it.
    """
    extra = grown - 1
    before = torch.maximum(size / grown, size - extra)
    cubic = (5 * size / (-extra).clamp_min(0.1)) ** (1 / 3)  # tanh p <= p - p^3 / 5 up to 1
    behind = torch.minimum(size / grown.clamp_min(torch.finfo(size.dtype).tiny), size - extra)
    behind = torch.where((cubic <= 1) & (extra < -0.1), torch.minimum(behind, cubic), behind)
    return torch.where(extra >= 0, before, behind)
