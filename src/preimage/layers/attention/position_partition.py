"""A coupling between positions: half of the pixels or patches move, the others decide how."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.domains import Reals
from preimage.layers.coupling.partition import Partition


class PositionPartition(Partition):
    """Divides the positions into two sets of one size, each handed on as a sequence ``(N, C, T / 2)``.

    Unlike a :class:`~preimage.layers.MaskPartition` nothing is computed for positions that stay: the
    conditioner takes ``(N, C, T / 2)`` and returns ``(N, C * count, T / 2)``. A transformer reads the places
    from its embedding; a convolution would not see the picture any more.

    Reference: Kolesnikov, Pinto, Tschannen (2024), Jet, https://arxiv.org/abs/2412.15129

    Args:
        mask: bool tensor of the sizes of space, such as ``(H, W)``, True at positions that stay: exactly half
            of them.

    Raises:
        ValueError: the mask is not such a tensor.

    Cost: one copy of x each way.

    Example:
        >>> partition = PositionPartition.checkerboard(2, 4)
        >>> kept, moving = partition.split(torch.arange(8.0).view(1, 1, 2, 4))
        >>> kept, moving
        (tensor([[[0., 2., 5., 7.]]]), tensor([[[1., 3., 4., 6.]]]))
    """

    kept: Tensor
    moving: Tensor
    order: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        if mask.dtype != torch.bool or mask.dim() == 0 or 2 * int(mask.sum()) != mask.numel():
            raise ValueError(
                f"PositionPartition: mask has dtype {mask.dtype}, shape {tuple(mask.shape)} and"
                f" {int(mask.sum())} positions that stay, wanted a bool tensor with as many True as False"
            )
        flat = mask.flatten()
        self.positions = tuple(mask.shape)
        self.domain = Reals(None, *self.positions)
        self.register_buffer("kept", flat.nonzero()[:, 0])
        self.register_buffer("moving", (~flat).nonzero()[:, 0])
        self.register_buffer("order", torch.cat([self.kept, self.moving]).argsort())

    @classmethod
    def checkerboard(cls, height: int, width: int, *, first: bool = True) -> PositionPartition:
        """A chess board that keeps the corner, or moves it; one of both sizes must be even."""
        rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
        return cls((rows + columns) % 2 == (0 if first else 1))

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Two sequences of positions."""
        flat = x.flatten(2)
        return flat.index_select(2, self.kept), flat.index_select(2, self.moving)

    def join(self, kept: Tensor, moved: Tensor) -> Tensor:
        """Every position back in its place."""
        return torch.cat([kept, moved], dim=2).index_select(2, self.order).unflatten(2, self.positions)
