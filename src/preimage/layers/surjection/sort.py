"""Drop the order."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.checks import check_tensors, values_are_visible
from preimage.domains import Reals
from preimage.errors import DomainError
from preimage.layers.surjection.surjection import Likelihood, Surjection


class SortSurjection(Surjection):
    r"""Sort the elements of a set, :math:`y = \operatorname{sort}(x)`; the way back draws one of the n!
    orders.

    The log-weight of sorting is :math:`-\log n!`, and the log-density is exact for an exchangeable x:
    whatever the layers behind do, p(x) does not depend on the order. They must produce sorted values, as
    :class:`~preimage.layers.Ascending` does. ``.inv`` is the generative form.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, table 3 (sorting),
    https://arxiv.org/abs/2007.02731

    Returns:
        For x ``(N, n)`` the numbers in ascending order; for x ``(N, n, ...)`` the n elements of the set in
        the ascending order of their first value. And the log-weight ``(N,)``.

    Raises:
        ShapeError: x is not a floating-point tensor ``(N, n, ...)``.
        DomainError: a y is not sorted.

    Cost: O(n log n) a row.

    Example:
        >>> y, log_weight = SortSurjection().forward_and_log_weight(torch.tensor([[2.0, 3.0, 1.0]]))
        >>> y, round(log_weight.exp().item() * 6, 4)
        (tensor([[1., 2., 3.]]), 1.0)
    """

    @property
    def likelihood(self) -> Likelihood:
        """Forward drops."""
        return "exact"

    def forward_and_log_weight(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Sort."""
        check_tensors("SortSurjection.forward_and_log_weight", "x", x, Reals(None, ...), None)
        return _take(x, _keys(x).argsort(dim=1, stable=True)), _log_weight(x)

    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Shuffle."""
        check_tensors("SortSurjection.inverse_and_log_weight", "y", y, Reals(None, ...), None)
        _refuse_unsorted(_keys(y))
        order = torch.rand(y.shape[:2], generator=generator, device=y.device, dtype=torch.float64).argsort(1)
        return _take(y, order), -_log_weight(y)


def _keys(x: Tensor) -> Tensor:
    """The number by which an element is sorted ``(N, n)``."""
    return x.flatten(2)[..., 0] if x.dim() > 2 else x


def _take(x: Tensor, order: Tensor) -> Tensor:
    """The elements of each row in its order ``(N, n)``."""
    return torch.take_along_dim(x, order.view(*order.shape, *[1] * (x.dim() - 2)), dim=1)


def _log_weight(x: Tensor) -> Tensor:
    return x.new_full((x.shape[0],), -math.lgamma(x.shape[1] + 1))


def _refuse_unsorted(keys: Tensor) -> None:
    if not values_are_visible():
        return
    drops = (keys.detach()[:, :-1] - keys.detach()[:, 1:]).clamp_min(0).sum(1)  # (N,)
    if (drops > 0).any():
        raise DomainError(
            f"SortSurjection.inverse_and_log_weight: y must be sorted in ascending order, but"
            f" {int((drops > 0).sum())} of {len(drops)} rows are not; put the inverse of an Ascending layer"
            " behind the surjection, which makes the latent free",
            violation=drops,
        )
