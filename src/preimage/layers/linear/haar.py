"""Haar wavelets: neighbours become their sum and their difference."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.functional.event import zero_log_det
from preimage.layers.structure.multiples import Multiples


class PairTransform(Bijection, abc.ABC):
    """Replace neighbours a, b by a low and a high band, along one dimension of space after the other.

    The bands become channels, band by band: ``[low | high]`` in one dimension and ``[low low | low high |
    high low | high high]`` in two, where the first word is for the rows. Both maps here have abs det 1.

    Args:
        dims: number of dimensions of space: 1 for signals ``(N, C, T)``, 2 for pictures ``(N, C, H, W)``.

    Raises:
        ValueError: ``dims`` is less than 1.

    Example:
        >>> import torch
        >>> MeanDifference(2)(torch.ones(1, 3, 4, 6)).shape
        torch.Size([1, 12, 2, 3])
    """

    def __init__(self, dims: int = 1) -> None:
        super().__init__()
        if dims < 1:
            raise ValueError(f"{type(self).__name__}: dims is {dims}, wanted 1 for signals, 2 for pictures")
        self.dims = dims
        self.domain = Multiples(None, *[2] * dims)
        self.codomain = Multiples(2**dims, *[None] * dims)

    @abc.abstractmethod
    def analyse(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """The low and the high band of neighbours a and b, all of one shape."""

    @abc.abstractmethod
    def synthesise(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The neighbours from their bands."""

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Dimension by dimension, the last one first."""
        y = x
        for dim in range(self.dims + 1, 1, -1):
            pairs = y.unflatten(dim, (-1, 2))  # (N, C, ..., T / 2, 2, ...)
            y = torch.cat(self.analyse(*pairs.unbind(dim + 1)), dim=1)
        return y, zero_log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Dimension by dimension, in the opposite order."""
        x = y
        for dim in range(2, self.dims + 2):
            bands = x.unflatten(1, (2, -1)).unbind(1)  # two of (N, C, ..., T / 2, ...)
            x = torch.stack(self.synthesise(*bands), dim=dim + 1).flatten(dim, dim + 1)
        return x, zero_log_det(y)

    def extra_repr(self) -> str:
        """The number of dimensions."""
        return f"dims={self.dims}"


class Haar(PairTransform):
    r"""Orthonormal Haar wavelet, :math:`(a, b) \mapsto (a + b,\; a - b) / \sqrt 2`; log_det is exactly 0.

    Lengths and angles are kept: noise of variance 1 stays noise of variance 1 in every band.

    Reference: Haar (1910), https://doi.org/10.1007/BF01456326; in flows: Ardizzone et al. (2019),
    https://arxiv.org/abs/1907.02392

    Args:
        dims: number of dimensions of space: 1 for signals ``(N, C, T)``, 2 for pictures ``(N, C, H, W)``.

    Returns:
        The bands ``(N, 2 C, T / 2)`` or ``(N, 4 C, H / 2, W / 2)``, see :class:`PairTransform`, and log_det
        ``(N,)`` of zeros.

    Raises:
        ValueError: ``dims`` is less than 1.
        ShapeError: a size is odd.

    Cost: O(numel(x)) per dimension.

    Example:
        >>> import torch
        >>> Haar()(torch.tensor([[[1.0, 1.0, 3.0, 1.0]]]))
        tensor([[[1.4142, 2.8284],
                 [0.0000, 1.4142]]])
    """

    def analyse(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Sum and difference, over the root of two."""
        return (first + second) * math.sqrt(0.5), (first - second) * math.sqrt(0.5)

    def synthesise(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The same map: it is its own inverse."""
        return self.analyse(low, high)


class MeanDifference(PairTransform):
    r"""Mean and difference, :math:`(a, b) \mapsto ((a + b) / 2,\; a - b)`; log_det is exactly 0.

    abs det is 1, but the map is not orthonormal: noise of variance 1 has variance 1/2 in the means and 2 in
    the differences. The means keep the scale of the data over many steps.

    Reference: Haar (1910), https://doi.org/10.1007/BF01456326; lifting: Sweldens (1998),
    https://doi.org/10.1137/S0036141095289051

    Args:
        dims: number of dimensions of space: 1 for signals ``(N, C, T)``, 2 for pictures ``(N, C, H, W)``.

    Returns:
        The bands ``(N, 2 C, T / 2)`` or ``(N, 4 C, H / 2, W / 2)``, see :class:`PairTransform`, and log_det
        ``(N,)`` of zeros.

    Raises:
        ValueError: ``dims`` is less than 1.
        ShapeError: a size is odd.

    Cost: O(numel(x)) per dimension.

    Example:
        >>> import torch
        >>> MeanDifference()(torch.tensor([[[1.0, 1.0, 3.0, 1.0]]]))
        tensor([[[1., 2.],
                 [0., 2.]]])
    """

    def analyse(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """(a + b) / 2 and a - b."""
        return (first + second) / 2, first - second

    def synthesise(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """m + d / 2 and m - d / 2."""
        return low + high / 2, low - high / 2
