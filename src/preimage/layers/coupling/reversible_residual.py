"""Residual blocks that can be undone: two streams."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.errors import ShapeError
from preimage.functional.event import zero_log_det


class ReversibleResidual(Bijection):
    r"""Two-stream residual block, :math:`y_1 = x_1 + f(x_2)`, :math:`y_2 = x_2 + g(y_1)`.

    log_det is exactly 0. f and g may be any networks: they are only ever run forwards. They must give the
    same answer both times: dropout in training mode draws anew, and the inverse is then wrong by the
    difference, which a certificate shows. Cut a tensor in two with :class:`~preimage.layers.Split` first.

    Reference: Gomez, Ren, Urtasun, Grosse (2017), The reversible residual network,
    https://arxiv.org/abs/1707.04585

    Args:
        f: module called as ``f(x2)``, or ``f(x2, context)`` where there is a context; gives the shape of x1.
        g: the same from y1 to the shape of x2.
        context: size of the context ``(N, context)``, or a pattern such as ``Reals(...)``; None for none.

    Returns:
        The tuple (y1, y2), of the shapes of x1 and x2, and log_det ``(N,)`` of zeros.

    Raises:
        ShapeError: f or g returned another shape.

    Cost: one run of f and g in either direction.

    Example:
        >>> import torch
        >>> layer = ReversibleResidual(torch.nn.Linear(2, 3), torch.nn.Linear(3, 2))
        >>> x = torch.ones(1, 3), torch.zeros(1, 2)
        >>> torch.allclose(layer.inverse(layer(x))[0], x[0])
        True
    """

    autocasts_inside: ClassVar[bool] = True

    def __init__(self, f: nn.Module, g: nn.Module, context: int | Reals | None = None) -> None:
        super().__init__()
        self.f, self.g = f, g
        self.domain = self.codomain = (Reals(), Reals())
        self.context_domain = Reals(context) if isinstance(context, int) else context

    def forward_and_log_det(
        self, x: tuple[Tensor, Tensor], context: Context = None
    ) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Add to the first stream, then to the second."""
        first, second = x
        first = first + _update(self.f, second, first, context)
        second = second + _update(self.g, first, second, context)
        return (first, second), zero_log_det(first)

    def inverse_and_log_det(
        self, y: tuple[Tensor, Tensor], context: Context = None
    ) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Subtract from the second stream, then from the first."""
        first, second = y
        second = second - _update(self.g, first, second, context)
        first = first - _update(self.f, second, first, context)
        return (first, second), zero_log_det(first)


def _update(network: nn.Module, source: Tensor, target: Tensor, context: Context) -> Tensor:
    """What a network adds to the target stream, of its shape and dtype."""
    change = network(source) if context is None else network(source, context)
    if change.shape != target.shape:
        raise ShapeError(
            f"ReversibleResidual: {type(network).__name__} returned shape {tuple(change.shape)}, wanted that"
            f" of the other stream, {tuple(target.shape)}"
        )
    return change.to(target.dtype)
