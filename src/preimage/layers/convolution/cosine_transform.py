"""Cosine transforms of whole signals and pictures, and of blocks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import zero_log_det
from preimage.functional.signals.cosine import cosine_transform, inverse_cosine_transform
from preimage.layers.convolution.downsampling import InvertibleDownsampling
from preimage.layers.convolution.patch_kernels import CosineKernels


class CosineTransform(Bijection):
    r"""Orthonormal discrete cosine transform (DCT-II) along every dimension of space; log_det is exactly 0.

    Lengths and angles are kept. The first coefficient holds the mean times the root of the number of
    positions, the last ones the finest stripes.

    Reference: Ahmed, Natarajan, Rao (1974), Discrete cosine transform, https://doi.org/10.1109/T-C.1974.223784

    Args:
        dims: number of dimensions of space: 1 for signals ``(N, C, T)``, 2 for pictures ``(N, C, H, W)``; any
            sizes.

    Returns:
        The coefficients, of the shape of x, and log_det ``(N,)`` of zeros.

    Raises:
        ValueError: ``dims`` is less than 1.

    Cost: one product with an n x n matrix a dimension for sizes up to 256, O(log n) a value above.

    Example:
        >>> import torch
        >>> CosineTransform(1)(torch.ones(1, 1, 4))
        tensor([[[2., 0., 0., 0.]]])
    """

    def __init__(self, dims: int = 2) -> None:
        super().__init__()
        if dims < 1:
            raise ValueError(f"CosineTransform: dims is {dims}, wanted 1 for signals, 2 for pictures")
        self.dims = dims
        self.domain = self.codomain = Reals(None, *[None] * dims)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Dimension by dimension."""
        return self._along_all(cosine_transform, x), zero_log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """The transposes."""
        return self._along_all(inverse_cosine_transform, y), zero_log_det(y)

    def extra_repr(self) -> str:
        """The number of dimensions."""
        return f"dims={self.dims}"

    def _along_all(self, transform: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        for dim in range(2, 2 + self.dims):
            x = transform(x.movedim(dim, -1)).movedim(-1, dim)
        return x


def block_cosine_transform(channels: int, factors: int | Sequence[int] = 8) -> InvertibleDownsampling:
    r"""Cosine transform of every block of positions, as in JPEG: its coefficients become channels.

    The coefficients of channel c are the channels c F ... c F + F - 1 with F the size of a block, the last
    dimension fastest, the mean of the block first. log_det is exactly 0.

    Reference: Wallace (1991), The JPEG still picture compression standard,
    https://doi.org/10.1145/103085.103089

    Args:
        channels: number of channels of x.
        factors: sizes of a block; ``(8,)`` for signals, a number f for ``(f, f)``.

    Returns:
        The layer, from ``(N, C, H, W)`` to ``(N, C F, H / f, W / f)``; nothing in it is trained.

    Cost: F multiplications a value.

    Example:
        >>> import torch
        >>> block_cosine_transform(3)(torch.ones(1, 3, 16, 24)).shape
        torch.Size([1, 192, 2, 3])
    """
    sizes = (factors, factors) if isinstance(factors, int) else tuple(factors)
    return InvertibleDownsampling(channels, sizes, lambda _groups, _size: CosineKernels(sizes))
