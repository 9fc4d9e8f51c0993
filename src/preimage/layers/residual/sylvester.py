"""Sylvester maps: planar maps in several directions at once, which triangular matrices keep apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.roots import monotone_root, newton_system, refine
from preimage.functional.visible import values_are_visible
from preimage.layers.residual.directions import Directions
from preimage.layers.residual.lipschitz_network import as_context, embedding, repeat_rows, vector_domain


class Sylvester(Bijection):
    r"""A Sylvester map, :math:`y = x + Q R \tanh(\tilde R Q^T x + b)`.

    Q has M orthonormal columns; R and :math:`\tilde R` are upper triangular M x M matrices whose diagonals,
    hyperbolic tangents of free parameters, multiply to numbers :math:`d_i > -1`. So

    .. math:: \text{log\_det} = \sum_i \log(1 + d_i \tanh'(a_i))
              = \sum_i \log(\tanh^2 a_i + (1 + d_i) \operatorname{sech}^2 a_i), \qquad a = \tilde R Q^T x + b.

    The inverse solves M equations for :math:`Q^T x`: by Newton's method, and where that does not reach
    rounding, one increasing equation after the other, which cannot fail. Compiled, exported and
    ``torch.func`` code has Newton's method only; rows that are not solved become NaN there.

    Reference: van den Berg, Hasenclever, Tomczak, Welling (2018), Sylvester normalizing flows for variational
    inference, https://arxiv.org/abs/1803.05649

    Args:
        directions: the matrix Q: :class:`~preimage.layers.OrthogonalDirections`,
            :class:`~preimage.layers.HouseholderDirections` or :class:`~preimage.layers.ReversedDirections`.
        context: size of a context vector that moves b; 0 for none.

    Returns:
        y of the shape of x ``(N, D)``, and log_det ``(N,)``.

    Cost: O(D M); the inverse some M^3 more.

    Example:
        >>> from preimage.layers import OrthogonalDirections
        >>> layer = Sylvester(OrthogonalDirections(4, 2))
        >>> x = torch.randn(3, 4)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-5)
        True
    """

    def __init__(self, directions: Directions, context: int = 0) -> None:
        super().__init__()
        features, size = directions.matrix().shape
        self.directions = directions
        self.domain = self.codomain = Reals(features)
        self.raw_outer = nn.Parameter(0.3 * torch.randn(size, size))
        self.raw_inner = nn.Parameter(0.3 * torch.randn(size, size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.context_domain = vector_domain(context)
        self.context = embedding(context, size)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Move."""
        q, outer, inner = self.directions.matrix(), _triangular(self.raw_outer), _triangular(self.raw_inner)
        position = x @ q @ inner.T + self._bias(context)  # (N, M)
        return x + position.tanh() @ outer.T @ q.T, self._log_det(position)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Find the position in the M directions, and move back."""
        q, outer, inner = self.directions.matrix(), _triangular(self.raw_outer), _triangular(self.raw_inner)
        bias = self._bias(context)
        place = _solve(outer, inner, bias, y @ q)  # (N, M): Q^T x
        position = place @ inner.T + bias
        return y - position.tanh() @ outer.T @ q.T, -self._log_det(position)

    def _bias(self, context: Context) -> Tensor:
        """``(1, M)``, or ``(N, M)`` with a context."""
        return self.bias[None] if self.context is None else self.bias + self.context(as_context(context))

    def _log_det(self, position: Tensor) -> Tensor:
        product = _diagonal(self.raw_outer.tanh() * self.raw_inner.tanh()).sum(1)  # (M,)
        slope = 4 * torch.sigmoid(2 * position) * torch.sigmoid(-2 * position)  # (N, M)
        return (position.tanh().square() + (1 + product) * slope).log().sum(1)


def _triangular(raw: Tensor) -> Tensor:
    """An upper triangular matrix whose diagonal lies between -1 and 1."""
    return raw.triu(1) + _diagonal(raw.tanh())


def _diagonal(matrix: Tensor) -> Tensor:
    """The matrix with zeros beside its diagonal; ``torch.diagonal`` warns when it is compiled."""
    return matrix * torch.eye(matrix.shape[0], dtype=matrix.dtype, device=matrix.device)


def _solve(outer: Tensor, inner: Tensor, bias: Tensor, y: Tensor) -> Tensor:
    """z with ``z + R tanh(R~ z + b) = y``, ``(N, M)``; NaN where no solution was found."""

    def function(z: Tensor) -> Tensor:
        own = bias if bias.shape[0] == 1 else repeat_rows(bias, z.shape[0])
        return z + (z @ inner.T + own).tanh() @ outer.T

    found = newton_system(function, y, y)
    z, converged = found.x, found.converged
    if values_are_visible() and not bool(converged.all()):
        z = torch.where(converged[:, None], z, _back_substitute(outer, inner, bias, y))
        converged = z.isfinite().all(1)
    z = refine(function, y, z)
    return torch.where(converged[:, None], z, torch.full_like(z, torch.nan))


@torch.no_grad()
def _back_substitute(outer: Tensor, inner: Tensor, bias: Tensor, y: Tensor) -> Tensor:
    """The same from the last number to the first: what follows is known, so each equation is increasing."""
    size = y.shape[1]
    z, h = torch.zeros_like(y), torch.zeros_like(y)
    for i in reversed(range(size)):
        rest = (h * outer[i]).sum(1)
        shift = (z * inner[i]).sum(1) + bias[:, i]
        z[:, i] = _one(outer[i, i], inner[i, i], shift, y[:, i] - rest)
        h[:, i] = (inner[i, i] * z[:, i] + shift).tanh()
    return z


def _one(outer: Tensor, inner: Tensor, shift: Tensor, y: Tensor) -> Tensor:
    """The root of ``z + r tanh(s z + shift) = y``, ``(N,)``."""

    def function(z: Tensor) -> tuple[Tensor, Tensor]:
        value = (inner * z + shift).tanh()
        return z + outer * value, 1 + outer * inner * (1 - value.square())

    reach = outer.abs() + 8 * torch.finfo(y.dtype).eps * (1 + y.abs())
    return monotone_root(function, y, y - reach, y + reach)
