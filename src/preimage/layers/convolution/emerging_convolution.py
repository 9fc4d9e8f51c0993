"""Two autoregressive convolutions of opposite orders, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from preimage.layers.convolution.autoregressive_convolution import AutoregressiveConvolution
from preimage.layers.convolution.spatial_linear import SpatialLinear


class EmergingConvolution(SpatialLinear):
    r"""Convolution :math:`y = W_2 * (W_1 * x) + b` that sees all sides, from two that see one half each.

    :math:`W_1` sees the positions and channels before, :math:`W_2` those behind; together they see a whole
    k x k neighbourhood. log_det is exact and the inverse two back substitutions.

    Reference: Hoogeboom, van den Berg, Welling (2019), Emerging convolutions for generative normalizing
    flows, https://arxiv.org/abs/1901.11137

    Args:
        channels: number C of channels.
        kernel_size: size of both kernels; ``(k,)`` for signals, a number k for ``(k, k)``, ``(k, l, m)`` for
            volumes. Starts as the identity.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, *sizes)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x is not of this shape.
        ValueError: a size is less than 1.

    Cost: twice that of an :class:`~preimage.layers.AutoregressiveConvolution`.

    Example:
        >>> import torch
        >>> layer = EmergingConvolution(2, 3)
        >>> x = torch.randn(1, 2, 5, 4)
        >>> torch.equal(layer.inverse(layer(x)), x)
        True
    """

    def __init__(self, channels: int, kernel_size: int | Sequence[int] = 3, *, bias: bool = True) -> None:
        first = AutoregressiveConvolution(channels, kernel_size, bias=False)
        super().__init__(channels, first.dims, bias)
        self.first = first
        self.second = AutoregressiveConvolution(channels, kernel_size, bias=False)

    def convolve(self, x: Tensor) -> Tensor:
        """From the front, then from behind."""
        return _mirror(self.second.convolve(_mirror(self.first.convolve(x))))

    def deconvolve(self, y: Tensor) -> Tensor:
        """The two back substitutions in reverse order."""
        return self.first.deconvolve(_mirror(self.second.deconvolve(_mirror(y))))

    def log_abs_det(self, sizes: Sequence[int]) -> Tensor:
        """Both log-determinants."""
        return self.first.log_abs_det(sizes) + self.second.log_abs_det(sizes)


def _mirror(x: Tensor) -> Tensor:
    """Channels and positions in the opposite order."""
    return x.flip(tuple(range(1, x.dim())))
