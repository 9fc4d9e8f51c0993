"""Several tensors side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Domain, Reals
from preimage.functional.event import zero_log_det
from preimage.layers.structure.parts import check_equal_shapes


class Concatenate(Bijection):
    r"""Side by side along one dimension, :math:`y = [x_1; x_2; \dots]`; log_det is exactly 0.

    The inverse cuts y at the same places, so a side input that was put in comes out again, bit by bit.

    Reference: Jacobsen, Smeulders, Oyallon (2018), i-RevNet, section 3, https://arxiv.org/abs/1802.07088

    Args:
        sizes: size of every part along ``dim``; two or more, not necessarily equal.
        dim: the dimension that is joined, 1 for features and channels.

    Returns:
        y ``(N, sum(sizes), ...)``, and log_det ``(N,)`` of zeros.

    Raises:
        ValueError: fewer than two sizes, a size below 1, or ``dim`` is that of the batch.
        ShapeError: parts of other sizes, or that differ elsewhere.

    Cost: one copy.

    Example:
        >>> import torch
        >>> layer = Concatenate([2, 1])
        >>> y = layer((torch.ones(1, 2), torch.zeros(1, 1)))
        >>> y, layer.inverse(y)
        (tensor([[1., 1., 0.]]), (tensor([[1., 1.]]), tensor([[0.]])))
    """

    def __init__(self, sizes: Sequence[int], dim: int = 1) -> None:
        super().__init__()
        self.sizes, self.dim = checked_sizes("Concatenate", sizes, dim), dim
        self.domain, self.codomain = part_domains(self.sizes, dim), part_domain(sum(self.sizes), dim)

    def forward_and_log_det(self, x: tuple[Tensor, ...], context: Context = None) -> tuple[Tensor, Tensor]:
        """Join."""
        check_equal_shapes("Concatenate.forward_and_log_det", x, except_dim=self.dim)
        return torch.cat(x, dim=self.dim), zero_log_det(x[0])

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[tuple[Tensor, ...], Tensor]:
        """Cut."""
        return y.split(self.sizes, dim=self.dim), zero_log_det(y)

    def extra_repr(self) -> str:
        """Sizes and dimension."""
        return f"{self.sizes}, dim={self.dim}"


def checked_sizes(where: str, sizes: Sequence[int], dim: int) -> list[int]:
    """The sizes of two or more parts along an event dimension."""
    if len(sizes) < 2 or min(sizes) < 1 or dim < 1:
        raise ValueError(
            f"{where}: got sizes {list(sizes)} along dim {dim}, wanted two or more positive sizes along an"
            " event dimension, such as [2, 4] along 1"
        )
    return list(sizes)


def part_domain(size: int, dim: int) -> Domain:
    """Events with this size in dimension ``dim``, counted with the batch."""
    return Reals(*[None] * (dim - 1), size, ...)


def part_domains(sizes: Sequence[int], dim: int) -> tuple[Domain, ...]:
    """One domain per part."""
    return tuple(part_domain(size, dim) for size in sizes)
