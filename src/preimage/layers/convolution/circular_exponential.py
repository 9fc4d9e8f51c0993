"""The exponential of a convolution with periodic borders."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.functional.matrices.condition import condition_number
from preimage.functional.signals.transfer import from_frequencies, to_frequencies, transfer_matrices
from preimage.layers.convolution.spatial_linear import SpatialLinear, kernel_sizes


class CircularExponential(SpatialLinear):
    r"""The matrix exponential of a convolution with periodic borders, :math:`y = e^{K *} x + b`.

    At every frequency it is :math:`e^{H_f}`, the exponential of a small matrix: exact, without a truncated
    series. Never singular, and the inverse is :math:`e^{-K *}`. The trace of a convolution counts its centre
    alone, so log_det is :math:`P \sum_c K_{cc, \text{centre}}` at P positions. One filter a channel
    (``groups=channels``) with a kernel as large as the picture is any filter without a sign.

    Reference: Hoogeboom, Garcia Satorras, Tomczak, Welling (2020), The convolution exponential and
    generalized Sylvester flows, https://arxiv.org/abs/2006.01910; in the frequency domain: Karami,
    Schuurmans, Sohl-Dickstein, Dinh, Duckworth (2019), Invertible convolutional flow

    Args:
        channels: number C of channels.
        kernel_size: size of the kernel K; ``(k,)`` for signals, a number k for ``(k, k)``. The effective
            kernel covers the whole picture.
        groups: number of groups of channels that do not mix.
        bias: whether there is a shift b. The layer starts as the identity.

    Returns:
        y of the shape of x ``(N, C, *sizes)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x is not of this shape.
        ValueError: a size is less than 1, or groups do not divide the channels.

    Cost: either way a Fourier transform, O(C c) a position, and some ten products of c x c matrices a
    frequency with c = C / groups.

    Example:
        >>> layer = CircularExponential(2, 3)
        >>> _ = torch.nn.init.normal_(layer.weight, std=0.2)
        >>> x = torch.randn(1, 2, 4, 5)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-4)
        True
    """

    def __init__(
        self, channels: int, kernel_size: int | Sequence[int] = 3, *, groups: int = 1, bias: bool = True
    ) -> None:
        sizes = kernel_sizes("CircularExponential", kernel_size)
        super().__init__(channels, len(sizes), bias)
        if groups < 1 or channels % groups:
            raise ValueError(
                f"CircularExponential: groups is {groups}, wanted a divisor of {channels} channels"
            )
        self.groups = groups
        self.weight = nn.Parameter(torch.zeros(channels, channels // groups, *sizes))

    def convolve(self, x: Tensor) -> Tensor:
        """The exponential at every frequency."""
        return self._at_frequencies(torch.linalg.matrix_exp(self._transfer(x.shape[2:])), x)

    def deconvolve(self, y: Tensor) -> Tensor:
        """The exponential of the negative."""
        return self._at_frequencies(torch.linalg.matrix_exp(-self._transfer(y.shape[2:])), y)

    def log_abs_det(self, sizes: Sequence[int]) -> Tensor:
        """The trace: what the kernel's taps on the position itself hold, at every position.

        In a picture smaller than the kernel other taps return to the position too.
        """
        size = self.channels // self.groups
        same = torch.eye(size, dtype=self.weight.dtype, device=self.weight.device).repeat(self.groups, 1)
        trace = torch.tensordot(same, self.weight, 2)  # (*kernel,)
        for length in sizes:  # the taps whose distance from the centre is a multiple of the size
            taps = trace.shape[0]
            trace = trace[(taps - 1) // 2 % length :: length].sum(0)
        return math.prod(sizes) * trace

    def condition(self, sizes: Sequence[int]) -> Tensor:
        """Largest over smallest singular value of all frequencies."""
        return condition_number(torch.linalg.matrix_exp(self._transfer(sizes)))

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.channels}, kernel_size={tuple(self.weight.shape[2:])}, groups={self.groups}"

    def _transfer(self, sizes: Sequence[int]) -> Tensor:
        return transfer_matrices(self.weight, sizes, (1,) * self.dims, self.groups)

    def _at_frequencies(self, matrices: Tensor, x: Tensor) -> Tensor:
        return from_frequencies(matrices @ to_frequencies(x, self.groups), x.shape[2:])
