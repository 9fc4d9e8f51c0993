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
        >>> kept, moving = SlicePartition(4).split(torch.arange(4.0)[None])
        >>> kept, moving
        (tensor([[0., 1.]]), tensor([[2., 3.]]))
    """

    domain: Reals
    """The inputs that can be divided."""

    @abc.abstractmethod
    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The part that stays, and the part that moves."""

    @abc.abstractmethod
    def join(self, kept: Tensor, moved: Tensor) -> Tensor:
        """Put both parts together again."""

    def only_moved(self, log_slope: Tensor) -> Tensor:
        """Log-slopes of the moving part, zero where an element does not really move."""
        return log_slope


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
    def alternating(cls, features: int, *, first: bool = True) -> ChannelPartition:
        """Keep every second channel, starting with the first or the second one."""
        return cls(torch.arange(features) % 2 == (0 if first else 1))

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Two groups of channels."""
        return x.index_select(1, self.kept), x.index_select(1, self.moving)

    def join(self, kept: Tensor, moved: Tensor) -> Tensor:
        """Every channel back in its place."""
        return torch.cat([kept, moved], dim=1).index_select(1, self.order)


class SlicePartition(Partition):
    """Divides the features or channels (dimension 1) at one place, without copying.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, https://arxiv.org/abs/1605.08803

    Args:
        features: number of features or channels.
        keep: how many of them stay, from 0 to features - 1; half of them, rounded down, by default.
        first: whether the first ones stay, or the last ones.

    Raises:
        ValueError: keep is not in this range.

    Cost: none to split, one copy of x to join.

    Example:
        >>> import torch
        >>> SlicePartition(3, keep=1).split(torch.tensor([[1.0, 2.0, 3.0]]))
        (tensor([[1.]]), tensor([[2., 3.]]))
    """

    def __init__(self, features: int, keep: int | None = None, *, first: bool = True) -> None:
        super().__init__()
        keep = features // 2 if keep is None else keep
        if not 0 <= keep < features:
            raise ValueError(
                f"SlicePartition: keep is {keep}, wanted 0 to {features - 1} of {features} features"
            )
        self.domain = Reals(features, ...)
        self._sizes = [keep, features - keep] if first else [features - keep, keep]
        self._order = (0, 1) if first else (1, 0)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Two groups of channels."""
        parts = x.split(self._sizes, dim=1)
        return parts[self._order[0]], parts[self._order[1]]

    def join(self, kept: Tensor, moved: Tensor) -> Tensor:
        """One behind the other."""
        parts = (kept, moved)
        return torch.cat([parts[self._order[0]], parts[self._order[1]]], dim=1)


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

    def join(self, kept: Tensor, moved: Tensor) -> Tensor:
        """Choose position by position."""
        return torch.where(self.mask, kept, moved)

    def only_moved(self, log_slope: Tensor) -> Tensor:
        """Zero at the kept positions."""
        return torch.where(self.mask, 0.0, log_slope)
