"""A convolution or dense map seen as one small matrix that acts on every window."""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from preimage.errors import NotInvertibleError
from preimage.inverse.linear.base import LinearMap, Shape
from preimage.inverse.linear.convolution import Convolution, pad_argument
from preimage.inverse.linear.dense import Dense
from preimage.inverse.linear.reshape import Permute


@final
class Windows:
    """z at a position = matrix @ (the window of x at that position), per group of channels.

    Systems are stored as ``(groups, B, size)`` with B = N * positions, the batch outermost.

    Args:
        linear: a Convolution or a Dense map.

    Raises:
        NotInvertibleError: for any other map.
    """

    def __init__(self, linear: LinearMap) -> None:
        if isinstance(linear, Dense):
            lead = linear.in_shape[:-1]
            self.groups, self.positions = 1, lead
            self._weight = linear.weight
            axes = tuple(range(len(lead)))
            self._unfold: LinearMap = Permute(linear.in_shape, (len(lead), *axes))
            self._channels_last = True
        elif isinstance(linear, Convolution):
            self.groups, self.positions = linear.groups, linear.out_shape[1:]
            self._weight = linear.weight
            self._unfold = Patches(linear) if linear.dimensions == 2 else unfolding(linear)
            self._channels_last = False
        else:
            raise NotInvertibleError(f"{linear} has no windows")
        self.out_shape = linear.out_shape

    @property
    def matrix(self) -> Tensor:
        """``(groups, rows, unknowns)`` in float64."""
        weight = self._weight.detach().double()
        return weight.reshape(self.groups, weight.shape[0] // self.groups, -1)

    def outputs(self, y: Tensor) -> Tensor:
        """``(N, *out_shape)`` to ``(groups, B, rows)``."""
        return self._systems(y.movedim(-1, 1) if self._channels_last else y)

    def inputs(self, x: Tensor) -> Tensor:
        """``(N, *in_shape)`` to the windows ``(groups, B, unknowns)``; zeros outside of x."""
        return self._systems(self._unfold.apply(x))

    def scatter(self, windows: Tensor, batch: int) -> Tensor:
        """The adjoint of ``inputs``: add the windows up, ``(groups, B, unknowns)`` to ``(N, *in_shape)``."""
        channels = self.groups * windows.shape[-1]
        positions = math.prod(self.positions)
        values = windows.view(self.groups, batch, positions, windows.shape[-1]).permute(1, 0, 3, 2)
        return self._unfold.adjoint(values.reshape(batch, channels, *self.positions))

    def per_position(self, values: Tensor, batch: int) -> Tensor:
        """``(B,)`` to ``(N, *positions)``."""
        return values.reshape(batch, *self.positions)

    def _systems(self, values: Tensor) -> Tensor:
        batch, positions = values.shape[0], math.prod(self.positions)
        flat = values.reshape(batch, self.groups, values.shape[1] // self.groups, positions)
        return flat.permute(1, 0, 3, 2).reshape(self.groups, batch * positions, flat.shape[2])


@final
class Patches(LinearMap):
    """``unfolding`` in two dimensions, by torch's own and faster routine.

    Args:
        convolution: the convolution whose windows are cut out.
    """

    def __init__(self, convolution: Convolution) -> None:
        self._convolution = convolution
        self._padding = pad_argument(convolution.padding)
        self._options = {
            "kernel_size": convolution.kernel,
            "dilation": convolution.dilation,
            "stride": convolution.stride,
        }

    @property
    def in_shape(self) -> Shape:
        """``(C, H, W)``."""
        return self._convolution.in_shape

    @property
    def out_shape(self) -> Shape:
        """``(C taps, H, W)``."""
        taps = math.prod(self._convolution.kernel)
        return (self.in_shape[0] * taps, *self._convolution.out_shape[1:])

    def _apply(self, x: Tensor) -> Tensor:
        if not x.shape[0]:
            return x.new_zeros(0, *self.out_shape)
        return F.unfold(F.pad(x, self._padding), **self._options).unflatten(2, self.out_shape[1:])

    def _adjoint(self, v: Tensor) -> Tensor:
        if not v.shape[0]:
            return v.new_zeros(0, *self.in_shape)
        sizes = zip(self.in_shape[1:], self._convolution.padding, strict=True)
        padded = tuple(size + sum(pair) for size, pair in sizes)
        x = F.fold(v.flatten(2), padded, **self._options)
        return F.pad(x, [-side for side in self._padding])


def unfolding(convolution: Convolution) -> Convolution:
    """The convolution that copies windows: channel i and tap t of a window become channel i taps + t."""
    taps, channels = math.prod(convolution.kernel), convolution.in_shape[0]
    one_hot = torch.eye(taps, device=convolution.weight.device).view(taps, 1, *convolution.kernel)
    return Convolution(
        one_hot.repeat(channels, *[1] * (one_hot.dim() - 1)),
        convolution.in_shape,
        convolution.stride,
        convolution.padding,
        dilation=convolution.dilation,
        groups=channels,
    )
