"""Invertible down- and up-sampling: convolutions whose stride is the size of their kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.signals.phases import gather_phases, scatter_phases
from preimage.layers.convolution.patch_kernels import CayleyKernels, PatchKernels
from preimage.layers.structure.multiples import Multiples

MakeKernels = Callable[[int, int], PatchKernels]


class Patches(Multiples):
    """Real events of a number of channels, with sizes that are multiples of given factors.

    Args:
        channels: the number of channels.
        factors: one factor a dimension of space.

    Example:
        >>> Patches(3, (2, 2)).fits((3, 4, 6)), Patches(3, (2, 2)).describe_shape()
        (True, '(N, 3, 2k, 2k)')
    """

    def __init__(self, channels: int, factors: Sequence[int]) -> None:
        super().__init__(None, *factors)
        self.shape = (channels, *self.shape[1:])

    def describe_shape(self) -> str:
        """The pattern for people; ``2k`` stands for an even size."""
        return super().describe_shape().replace("*", str(self.shape[0]), 1)


class InvertibleDownsampling(Bijection):
    r"""Learnable down-sampling that loses nothing: a convolution with kernel = stride and a square kernel.

    Every block of positions of a group of channels is one vector, multiplied by an invertible matrix, and its
    entries become channels. With orthogonal kernels, the default, log_det is 0 and the inverse is the
    transposed convolution; :meth:`weight` is the kernel for ``torch.nn.functional.conv2d``. Starts as the
    pixel unshuffle.

    Reference: Etmann, Ke, Schönlieb (2020), iUNets: learnable invertible up- and downsampling for large-scale
    inverse problems, https://arxiv.org/abs/2005.05220

    Args:
        channels: number C of channels of x.
        factors: strides; ``(2,)`` for signals, a number f for ``(f, f)``, ``(1, 2, 2)`` for volumes.
        kernels: what makes the matrices of a number of groups and a size,
            :class:`~preimage.layers.CayleyKernels`, :class:`~preimage.layers.ExponentialKernels`,
            :class:`~preimage.layers.TriangularKernels` (changes the volume too) or a function of these two
                numbers.
        groups: number of groups of channels that do not mix; one kernel a channel by default.

    Returns:
        y ``(N, C F, H / f, W / f)`` with F the product of the factors, channel c of x in the channels c F and
        following; log_det ``(N,)``.

    Raises:
        ShapeError: x has other channels, or a size is not a multiple of its factor.
        ValueError: a factor is less than 1, or groups do not divide the channels.

    Cost: F C / groups a value, in either direction, and that of the matrices once a call.

    Example:
        >>> import torch
        >>> layer = InvertibleDownsampling(3, 2)
        >>> layer(torch.ones(1, 3, 4, 6)).shape
        torch.Size([1, 12, 2, 3])
    """

    def __init__(
        self,
        channels: int,
        factors: int | Sequence[int] = 2,
        kernels: MakeKernels = CayleyKernels,
        *,
        groups: int | None = None,
    ) -> None:
        super().__init__()
        self.factors = (factors, factors) if isinstance(factors, int) else tuple(factors)
        self.groups = channels if groups is None else groups
        name = type(self).__name__
        if not self.factors or min(self.factors) < 1:
            raise ValueError(f"{name}: factors are {self.factors}, wanted positive numbers, such as (2, 2)")
        if channels < 1 or self.groups < 1 or channels % self.groups:
            raise ValueError(f"{name}: groups is {self.groups}, wanted a divisor of {channels} channels")
        self.channels, block = channels, math.prod(self.factors)
        self.kernels = kernels(self.groups, channels // self.groups * block)
        self.domain = Patches(channels, self.factors)
        self.codomain = Reals(channels * block, *[None] * len(self.factors))

    def weight(self) -> Tensor:
        """The kernel of this map as a convolution of stride ``factors``, ``(C F, C / groups, *factors)``."""
        matrices = self.kernels.matrices()
        whole = matrices.expand(self.groups, *matrices.shape[1:]).flatten(0, 1)  # (C F, C / groups * F)
        return whole.unflatten(1, (-1, *self.factors))

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Gather blocks, then multiply."""
        blocks = gather_phases(x, self.factors)  # (N, C, F, h, w)
        columns = blocks.flatten(3).flatten(1, 2).unflatten(1, (self.groups, -1))  # (N, G, n, P)
        y = self.kernels.multiply(columns).flatten(1, 2)
        return y.unflatten(2, blocks.shape[3:]), self._log_det(x, y.shape[2])

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Solve, then scatter blocks."""
        columns = y.flatten(2).unflatten(1, (self.groups, -1))  # (N, G, n, P)
        blocks = self.kernels.solve(columns).flatten(1, 2).unflatten(1, (self.channels, -1))
        x = scatter_phases(blocks.unflatten(3, y.shape[2:]), self.factors)
        return x, -self._log_det(y, columns.shape[3])

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.channels}, factors={self.factors}, groups={self.groups}"

    def _log_det(self, x: Tensor, positions: int) -> Tensor:
        each = self.kernels.log_abs_det().to(x)
        return (each.expand(self.groups).sum() * positions).expand(x.shape[0])


class InvertibleUpsampling(Bijection):
    r"""Learnable up-sampling that invents nothing: the inverse of :class:`InvertibleDownsampling`.

    Groups of F channels become blocks of positions, by a transposed convolution with kernel = stride where
    the kernels are orthogonal.

    Reference: Etmann, Ke, Schönlieb (2020), iUNets: learnable invertible up- and downsampling for large-scale
    inverse problems, https://arxiv.org/abs/2005.05220

    Args:
        channels: number of channels of x, a multiple of F, the product of the factors.
        factors: as for :class:`InvertibleDownsampling`.
        kernels: as there.
        groups: groups of the ``channels / F`` channels of y; one kernel a channel by default.

    Returns:
        y ``(N, channels / F, f H, f W)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x has other channels.
        ValueError: F does not divide the channels.

    Cost: that of the down-sampling.

    Example:
        >>> import torch
        >>> InvertibleUpsampling(12, 2)(torch.ones(1, 12, 2, 3)).shape
        torch.Size([1, 3, 4, 6])
    """

    def __init__(
        self,
        channels: int,
        factors: int | Sequence[int] = 2,
        kernels: MakeKernels = CayleyKernels,
        *,
        groups: int | None = None,
    ) -> None:
        super().__init__()
        sizes = (factors, factors) if isinstance(factors, int) else tuple(factors)
        if channels < 1 or channels % math.prod(sizes):
            raise ValueError(
                f"InvertibleUpsampling: channels is {channels}, wanted a multiple of {math.prod(sizes)}"
            )
        self.down = InvertibleDownsampling(channels // math.prod(sizes), sizes, kernels, groups=groups)
        self.domain, self.codomain = self.down.codomain, self.down.domain

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Solve, then scatter blocks."""
        return self.down.inverse_and_log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Gather blocks, then multiply."""
        return self.down.forward_and_log_det(y)
