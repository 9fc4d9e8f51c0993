"""Convolution with periodic borders and a free kernel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.checks import values_are_visible
from preimage.errors import NotInvertibleError
from preimage.functional.matrices.condition import condition_number
from preimage.functional.signals.convolve import circular_convolution, reach_before
from preimage.functional.signals.transfer import (
    frequency_weights,
    from_frequencies,
    to_frequencies,
    transfer_matrices,
)
from preimage.layers.convolution.spatial_linear import SpatialLinear, kernel_sizes


class CircularConvolution(SpatialLinear):
    r"""Convolution with periodic borders, :math:`y = W * x + b`, with an exact inverse and log_det.

    The Fourier transform makes it one small matrix :math:`H_f` per frequency: the inverse solves with each of
    them, and :math:`\log|\det A| = \sum_f \log|\det H_f|` over all frequencies. Signals, pictures and volumes
    of any size; the kernel may be larger than the picture, and is what ``padding_mode="circular"`` computes.
    Nothing keeps a free kernel away from singular ones: the certificate of an inverse holds the condition
    number. :class:`~preimage.layers.CircularExponential` cannot become singular.

    Reference: Karami, Schuurmans, Sohl-Dickstein, Dinh, Duckworth (2019), Invertible convolutional flow,
    https://proceedings.neurips.cc/paper/2019/hash/b1f62fa99de9f27a048344d55c5ef7a6-Abstract.html; Hoogeboom,
    van den Berg, Welling (2019), periodic convolutions, https://arxiv.org/abs/1901.11137

    Args:
        channels: number C of channels.
        kernel_size: size of the kernel; ``(k,)`` for signals, a number k for ``(k, k)``, ``(k, l, m)`` for
            volumes. Even sizes reach one place less to the left.
        groups: number of groups of channels that do not mix; ``channels`` for one filter a channel.
        dilation: distance between the taps.
        bias: whether there is a shift b. The layer starts as a random orthogonal matrix at every position.

    Returns:
        y of the shape of x ``(N, C, *sizes)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x is not of this shape.
        ValueError: a size is less than 1, or groups do not divide the channels.
        NotInvertibleError: the inverse is asked of a kernel that is singular up to rounding.

    Cost: forwards that of the convolution, and O(P C c^2) once a call for the log_det at P positions with c =
    C / groups; backwards a Fourier transform and O(C c) a position besides.

    Example:
        >>> conv = torch.nn.Conv2d(3, 3, 3, padding="same", padding_mode="circular")
        >>> layer = CircularConvolution.from_convolution(conv)
        >>> x = torch.randn(2, 3, 5, 8)
        >>> y = layer(x)
        >>> torch.allclose(y, conv(x), atol=1e-6), torch.allclose(layer.inverse(y), x, atol=1e-3)
        (True, True)
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | Sequence[int] = 3,
        *,
        groups: int = 1,
        dilation: int | Sequence[int] = 1,
        bias: bool = True,
    ) -> None:
        sizes = kernel_sizes("CircularConvolution", kernel_size)
        super().__init__(channels, len(sizes), bias)
        if groups < 1 or channels % groups:
            raise ValueError(
                f"CircularConvolution: groups is {groups}, wanted a divisor of {channels} channels"
            )
        self.groups = groups
        self.dilation = (dilation,) * len(sizes) if isinstance(dilation, int) else tuple(dilation)
        self.weight = nn.Parameter(_orthogonal_tap(channels, groups, sizes, self.dilation))

    @classmethod
    def from_convolution(cls, convolution: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> CircularConvolution:
        """The layer that shares the parameters of a convolution with periodic borders.

        Args:
            convolution: as many outputs as inputs, ``padding_mode="circular"``, stride 1, of the same size.

        Returns:
            The layer.

        Raises:
            NotInvertibleError: the convolution is of another kind.

        Example:
            >>> conv = torch.nn.Conv1d(2, 2, 3, padding=1, padding_mode="circular")
            >>> CircularConvolution.from_convolution(conv).weight is conv.weight
            True
        """
        _check_circular(convolution)
        layer = cls(
            convolution.in_channels,
            convolution.kernel_size,
            groups=convolution.groups,
            dilation=convolution.dilation,
            bias=False,
        )
        layer.weight, layer.bias = convolution.weight, convolution.bias
        return layer

    def transfer(self, sizes: Sequence[int]) -> Tensor:
        """The matrices of all frequencies: ``preimage.functional.signals.transfer.transfer_matrices``."""
        return transfer_matrices(self.weight, sizes, self.dilation, self.groups)

    def convolve(self, x: Tensor) -> Tensor:
        """Continue x periodically, then convolve."""
        return circular_convolution(x, self.weight, self.dilation, self.groups)

    def deconvolve(self, y: Tensor) -> Tensor:
        """Solve at every frequency."""
        sizes = y.shape[2:]
        factors, pivots, _ = torch.linalg.lu_factor_ex(self.transfer(sizes))
        self._refuse_lost_frequencies(factors)
        return from_frequencies(torch.linalg.lu_solve(factors, pivots, to_frequencies(y, self.groups)), sizes)

    def log_abs_det(self, sizes: Sequence[int]) -> Tensor:
        """Half of the log-determinants of the real matrices, each counted as often as it occurs."""
        each = torch.linalg.slogdet(self.transfer(sizes)).logabsdet.sum(1)  # (F,)
        return 0.5 * (each * frequency_weights(sizes, each)).sum()

    def condition(self, sizes: Sequence[int]) -> Tensor:
        """Largest over smallest singular value of all frequencies."""
        return condition_number(self.transfer(sizes))

    def extra_repr(self) -> str:
        """The sizes."""
        sizes = tuple(self.weight.shape[2:])
        return f"{self.channels}, kernel_size={sizes}, groups={self.groups}, dilation={self.dilation}"

    def _refuse_lost_frequencies(self, factors: Tensor) -> None:
        """Raise where what is left of a pivot is the rounding error of the sum over the taps."""
        if not values_are_visible():
            return
        pivots = factors.detach().diagonal(dim1=-2, dim2=-1).abs().unflatten(-1, (2, -1))  # (F, G, 2, c)
        taps = self.weight.detach().unflatten(0, (self.groups, -1)).abs().flatten(3).sum(-1)  # (G, c, c)
        lengths = torch.linalg.vector_norm(taps, dim=1)[:, None]  # (G, 1, c)
        lost = pivots <= 4 * taps.shape[-1] ** 0.5 * torch.finfo(pivots.dtype).eps * lengths
        if lost.any():
            frequencies = int(lost.flatten(1).any(1).sum())
            raise NotInvertibleError(
                f"CircularConvolution.inverse: the kernel is singular up to rounding at {frequencies} of"
                f" {len(pivots)} frequencies; use CircularExponential, which cannot become singular, another"
                " picture size, or penalise the condition number in training"
            )


def _orthogonal_tap(channels: int, groups: int, sizes: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """A kernel ``(C, c, *sizes)`` that is a random orthogonal matrix at one tap and zero elsewhere."""
    size = channels // groups
    matrices = torch.stack([nn.init.orthogonal_(torch.empty(size, size)) for _ in range(groups)])
    weight = torch.zeros(channels, size, *sizes)
    centre = [left // step for left, step in zip(reach_before(sizes, dilation), dilation, strict=True)]
    weight[(slice(None), slice(None), *centre)] = matrices.flatten(0, 1)
    return weight


def _check_circular(convolution: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> None:
    same = [2 * p == d * (k - 1) for p, d, k in zip(*_settings(convolution), strict=True)]
    keeps_size = convolution.padding == "same" or all(same)
    square = convolution.in_channels == convolution.out_channels
    plain = all(step == 1 for step in convolution.stride) and convolution.padding_mode == "circular"
    if not (square and plain and keeps_size):
        raise NotInvertibleError(
            f"CircularConvolution: got {convolution}, wanted as many outputs as inputs, stride 1,"
            ' padding_mode="circular" and padding="same"; preimage.invert takes any convolution'
        )


def _settings(convolution: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> tuple[Sequence[int], ...]:
    """Padding, dilation and kernel size, one entry a dimension."""
    dims = len(convolution.kernel_size)
    padding = (-1,) * dims if isinstance(convolution.padding, str) else convolution.padding
    return padding, convolution.dilation, convolution.kernel_size
