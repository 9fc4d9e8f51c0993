"""How a coupling divides its input into a part that stays and a part that moves."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.domains import Reals


class Partition(nn.Module, abc.ABC):
    """Divides x into what a coupling keeps (and shows to its conditioner) and what it moves.

    Example:
        >>> import torch
        >>> kept, moving = ChannelPartition.halves(4).split(torch.arange(4.0)[None])
        >>> kept, moving
        (tensor([[0., 1.]]), tensor([[2., 3.]]))
    """

    domain: Reals
    """The inputs that can be divided."""

    @abc.abstractmethod
    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The part that stays, and the part that moves."""

    @abc.abstractmethod
    def merge(self, kept: Tensor, moved: Tensor, log_slope: Tensor) -> tuple[Tensor, Tensor]:
        """Put both parts together again; log-slopes count only where elements moved."""


def _mask(mask: Sequence[bool] | Tensor) -> Tensor:
    values = torch.as_tensor(mask)
    if values.dtype != torch.bool or values.dim() == 0 or values.all():
        raise ValueError(
            "a coupling mask must be a bool tensor, True where x stays and False where it moves, with at"
            f" least one False; got {values.dtype} of shape {tuple(values.shape)}"
        )
    return values


class ChannelPartition(Partition):
    """Divides the features or channels (dimension 1): only the kept ones reach the conditioner.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, figure 3, https://arxiv.org/abs/1605.08803

    Args:
        mask: bool ``(C,)``, True for channels that stay. Any pattern, with at least one False.

    Raises:
        ValueError: the mask is not such a tensor.

    Cost: one copy of x each way.

    Example:
        >>> import torch
        >>> partition = ChannelPartition(torch.tensor([True, False, False]))
        >>> [part.shape[1] for part in partition.split(torch.ones(1, 3))]
        [1, 2]
    """

    kept: Tensor
    moving: Tensor
    order: Tensor

    def __init__(self, mask: Sequence[bool] | Tensor) -> None:
        super().__init__()
        values = _mask(mask)
        self.domain = Reals(len(values), ...)
        self.register_buffer("kept", values.nonzero()[:, 0])
        self.register_buffer("moving", (~values).nonzero()[:, 0])
        self.register_buffer("order", torch.cat([self.kept, self.moving]).argsort())

    @classmethod
    def halves(cls, features: int, keep: int | None = None) -> ChannelPartition:
        """Keep the first channels (half of them, rounded down, or ``keep``) and move the others."""
        first = features // 2 if keep is None else keep
        return cls(torch.arange(features) < first)

    @classmethod
    def alternating(cls, features: int, *, first: bool = True) -> ChannelPartition:
        """Keep every second channel, starting with the first or the second one."""
        return cls(torch.arange(features) % 2 == (0 if first else 1))

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Two groups of channels."""
        return x.index_select(1, self.kept), x.index_select(1, self.moving)

    def merge(self, kept: Tensor, moved: Tensor, log_slope: Tensor) -> tuple[Tensor, Tensor]:
        """Every channel back in its place."""
        return torch.cat([kept, moved], dim=1).index_select(1, self.order), log_slope


class MaskPartition(Partition):
    """Divides single positions: the conditioner sees all of x with the moving positions set to zero.

    For patterns over space or time, such as checkerboards and even against odd samples.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, figure 3, https://arxiv.org/abs/1605.08803

    Args:
        mask: bool tensor of the rank of the event, True for positions that stay; size 1 broadcasts, so
            ``(1, H, W)`` serves all channels.

    Raises:
        ValueError: the mask is not such a tensor.

    Cost: two masked copies of x; the conditioner's outputs at kept positions are computed and thrown away.

    Example:
        >>> MaskPartition.checkerboard(2, 2).mask[0]
        tensor([[ True, False],
                [False,  True]])
    """

    mask: Tensor

    def __init__(self, mask: Sequence[bool] | Tensor) -> None:
        super().__init__()
        values = _mask(mask)
        self.domain = Reals(*[None if size == 1 else size for size in values.shape])
        self.register_buffer("mask", values)

    @classmethod
    def checkerboard(cls, height: int, width: int, *, first: bool = True) -> MaskPartition:
        """A chess board for pictures ``(N, C, height, width)`` that keeps the corner, or moves it."""
        rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
        return cls(((rows + columns) % 2 == (0 if first else 1))[None])

    @classmethod
    def alternating(cls, length: int, *, first: bool = True) -> MaskPartition:
        """Every second sample of a signal ``(N, C, length)``, starting with the first or the second one."""
        return cls((torch.arange(length) % 2 == (0 if first else 1))[None])

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """All of x twice, once with either part set to zero."""
        zero = torch.zeros_like(x)
        return torch.where(self.mask, x, zero), torch.where(self.mask, zero, x)

    def merge(self, kept: Tensor, moved: Tensor, log_slope: Tensor) -> tuple[Tensor, Tensor]:
        """Choose position by position."""
        return torch.where(self.mask, kept, moved), torch.where(self.mask, 0.0, log_slope)
