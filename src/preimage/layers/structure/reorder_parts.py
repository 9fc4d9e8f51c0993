"""The tensors of a tuple in another order."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import zero_log_det


class ReorderParts(Bijection):
    r"""The tensors of a tuple in another order, :math:`y_i = x_{\pi(i)}`; log_det is exactly 0.

    Wires graphs: bring the parts that a node wants next to each other, then apply it within a
    :class:`~preimage.layers.Parallel`.

    Reference: Ardizzone et al. (2018), FrEIA, https://github.com/vislearn/FrEIA

    Args:
        order: the places 0 ... k-1 of a tuple of k tensors, in the wanted order; k is 2 or more.

    Returns:
        The tuple in that order, and log_det ``(N,)`` of zeros.

    Raises:
        ValueError: the order does not name every place exactly once.
        ShapeError: the tuple has another number of tensors.

    Cost: none.

    Example:
        >>> import torch
        >>> ReorderParts([1, 0])((torch.zeros(1, 1), torch.ones(1, 2)))
        (tensor([[1., 1.]]), tensor([[0.]]))
    """

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = list(order)
        if len(self.order) < 2 or sorted(self.order) != list(range(len(self.order))):
            raise ValueError(f"ReorderParts: got {self.order}, wanted every place 0 ... k-1 exactly once")
        self.domain = self.codomain = tuple(Reals() for _ in self.order)

    def forward_and_log_det(
        self, x: tuple[Tensor, ...], context: Context = None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Pick."""
        return tuple(x[place] for place in self.order), zero_log_det(x[0])

    def inverse_and_log_det(
        self, y: tuple[Tensor, ...], context: Context = None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Put back."""
        return tuple(y[self.order.index(place)] for place in range(len(y))), zero_log_det(y[0])

    def extra_repr(self) -> str:
        """The order."""
        return f"{self.order}"
