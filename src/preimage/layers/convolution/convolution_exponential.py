"""The exponential of a convolution with zeros beyond the borders, as a series with a proven remainder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.functional.signals.convolve import zero_padded_convolution
from preimage.layers.convolution.spatial_linear import SpatialLinear, kernel_sizes


class ConvolutionExponential(SpatialLinear):
    r"""The matrix exponential of a convolution, :math:`y = \sum_m \frac{1}{m!} K^m x + b`.

    Never singular for any kernel; the inverse is the exponential of -K, and log_det the trace of K,
    :math:`P \sum_c K_{cc, \text{centre}}` at P positions. Zeros lie beyond the borders, unlike for
    :class:`~preimage.layers.CircularExponential`. The kernel is scaled so that its operator norm stays below
    ``norm``, and the series stops where its remainder is below a rounding error of the smallest possible
    image: :meth:`remainder` states the bound.

    Reference: Hoogeboom, Garcia Satorras, Tomczak, Welling (2020), The convolution exponential and
    generalized Sylvester flows, https://arxiv.org/abs/2006.01910

    Args:
        channels: number C of channels.
        kernel_size: size of the kernel K; ``(k,)`` for signals, a number k for ``(k, k)``, ``(k, l, m)`` for
            volumes. Starts as the identity map (K = 0).
        norm: bound on the operator norm of K, positive; the condition number stays below ``exp(2 * norm)``.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, *sizes)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x is not of this shape.
        ValueError: a size is less than 1, or the norm not positive.

    Cost: :meth:`terms` convolutions either way, 15 in float32 and 24 in float64 for a norm of 2.

    Example:
        >>> layer = ConvolutionExponential(2, 3)
        >>> _ = torch.nn.init.normal_(layer.weight)
        >>> x = torch.randn(1, 2, 4, 5)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-4)
        True
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | Sequence[int] = 3,
        *,
        norm: float = 2.0,
        bias: bool = True,
    ) -> None:
        sizes = kernel_sizes("ConvolutionExponential", kernel_size)
        super().__init__(channels, len(sizes), bias)
        if not 0 < norm < math.inf:
            raise ValueError(f"ConvolutionExponential: norm is {norm}, wanted a positive number, such as 2.0")
        self.norm = norm
        self._terms = {dtype: self._fewest(dtype) for dtype in (torch.float32, torch.float64)}
        self.weight = nn.Parameter(torch.zeros(channels, channels, *sizes))

    def kernel(self) -> Tensor:
        r"""K ``(C, C, *kernel_sizes)``, scaled by :math:`\beta / (\beta + B)` with B a bound on its norm.

        B is the geometric mean of the largest sums of absolute values of a row and of a column of the
        operator.
        """
        sizes = self.weight.abs().flatten(2).sum(2)  # (C, C)
        bound = (sizes.sum(0).amax() * sizes.sum(1).amax() + torch.finfo(sizes.dtype).tiny).sqrt()
        return self.weight * (self.norm / (self.norm + bound))

    def terms(self, dtype: torch.dtype) -> int:
        """Number of terms after the first: the fewest whose remainder is a rounding error of a dtype."""
        return self._terms[dtype]

    def remainder(self, terms: int) -> float:
        r"""Bound on :math:`|e^K x - \sum_{m \le M} K^m x / m!| / |e^K x|`: the tail, against
        :math:`e^{-\beta}`.

        Args:
            terms: M, at least 1.

        Returns:
            :math:`e^{2 \beta} \beta^{M + 1} / (M + 1)!`.

        Example:
            >>> ConvolutionExponential(1, norm=1.0).remainder(10) < 2e-7
            True
        """
        power = (terms + 1) * math.log(self.norm) - math.lgamma(terms + 2)
        return math.exp(min(2 * self.norm + power, 700.0))

    def convolve(self, x: Tensor) -> Tensor:
        """The series."""
        return self._series(self.kernel(), x)

    def deconvolve(self, y: Tensor) -> Tensor:
        """The series of the negative."""
        return self._series(-self.kernel(), y)

    def log_abs_det(self, sizes: Sequence[int]) -> Tensor:
        """The trace: what each channel's tap on the position itself holds, at every position."""
        centre = tuple(size // 2 for size in self.weight.shape[2:])
        present = self.kernel()[(slice(None), slice(None), *centre)]  # (C, C)
        same = torch.eye(self.channels, dtype=present.dtype, device=present.device)
        return math.prod(sizes) * (present * same).sum()

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.channels}, kernel_size={tuple(self.weight.shape[2:])}, norm={self.norm}"

    def _fewest(self, dtype: torch.dtype) -> int:
        return next(m for m in range(1, 10_000) if self.remainder(m) <= torch.finfo(dtype).eps)

    def _series(self, kernel: Tensor, x: Tensor) -> Tensor:
        term = total = x
        for number in range(1, self.terms(x.dtype) + 1):
            term = zero_padded_convolution(term, kernel) / number
            total = total + term
        return total
