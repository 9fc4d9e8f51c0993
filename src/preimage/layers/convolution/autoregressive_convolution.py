"""Convolution that looks only at earlier positions: a triangular map of the whole picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.functional.autoregressive.wavefront import solve_causal
from preimage.functional.signals.convolve import zero_padded_convolution
from preimage.layers.convolution.spatial_linear import SpatialLinear, kernel_sizes


class AutoregressiveConvolution(SpatialLinear):
    r"""Convolution :math:`y = W * x + b` whose kernel sees the positions before, in raster order.

    At the position itself channel i sees the channels before it, and itself with the factor :math:`e^{a_i}`.
    The map of the whole picture is triangular and never singular; log_det is :math:`P \sum a` at P positions.
    Zeros lie beyond the borders. The inverse is back substitution, exact: for pictures a slanted line of
    positions at a time, H (1 + r) + W steps with r the reach of the kernel to the right; for signals a block
    at a time.

    Reference: Hoogeboom, van den Berg, Welling (2019), Emerging convolutions for generative normalizing
    flows, https://arxiv.org/abs/1901.11137; Ma, Kong, Zhang, Hovy (2019), MaCow, https://arxiv.org/abs/1902.04208

    Args:
        channels: number C of channels.
        kernel_size: size of the whole kernel, of which the half before the position is used; ``(k,)`` for
            signals, a number k for ``(k, k)``, ``(k, l, m)`` for volumes. Starts as the identity.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, *sizes)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x is not of this shape.
        ValueError: a size is less than 1.

    Cost: forwards that of the convolution; backwards one to three times that, in so many steps one after the
    other. A filter with taps above 1 has an inverse that grows along the picture; the certificate then says
    so.

    Example:
        >>> layer = AutoregressiveConvolution(2, 3)
        >>> _ = torch.nn.init.normal_(layer.weight, std=0.2)
        >>> x = torch.randn(1, 2, 8, 8)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-3)
        True
    """

    before: Tensor
    centre: Tensor

    def __init__(self, channels: int, kernel_size: int | Sequence[int] = 3, *, bias: bool = True) -> None:
        sizes = kernel_sizes("AutoregressiveConvolution", kernel_size)
        super().__init__(channels, len(sizes), bias)
        self.weight = nn.Parameter(torch.zeros(channels, channels, *sizes))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        place = torch.arange(math.prod(sizes)).view(sizes)
        here = place[tuple(size // 2 for size in sizes)]
        self.register_buffer("before", place < here)
        self.register_buffer("centre", place == here)

    def kernel(self) -> Tensor:
        """W ``(C, C, *kernel_sizes)`` as it is used: masked, with the scales in its centre."""
        present = self._present().view(self.channels, self.channels, *[1] * self.dims)
        return self._past() + self.centre * present

    def convolve(self, x: Tensor) -> Tensor:
        """One convolution."""
        return zero_padded_convolution(x, self.kernel())

    def deconvolve(self, y: Tensor) -> Tensor:
        """First within a position, then from position to position."""
        present = self._present()  # (C, C)
        columns = torch.linalg.solve_triangular(present, y.flatten(2), upper=False)  # (N, C, P)
        past = torch.linalg.solve_triangular(present, self._past().flatten(1), upper=False)
        return solve_causal(columns.view_as(y), past.view_as(self.weight))

    def log_abs_det(self, sizes: Sequence[int]) -> Tensor:
        """The log-scales, at every position."""
        return math.prod(sizes) * self.log_scale.sum()

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.channels}, kernel_size={tuple(self.weight.shape[2:])}"

    def _past(self) -> Tensor:
        return self.weight * self.before

    def _present(self) -> Tensor:
        """The lower triangular matrix within a position ``(C, C)``."""
        inner = (self.weight * self.centre).flatten(2).sum(2)
        return inner.tril(-1) + torch.diag_embed(self.log_scale.exp())
