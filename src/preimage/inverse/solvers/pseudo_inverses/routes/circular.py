"""Circular convolutions: one small system for each frequency."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.composition import Composition
from preimage.inverse.linear.convolution import Convolution
from preimage.inverse.linear.pad import CircularPad
from preimage.inverse.solvers.linear_systems.spectral import decompose
from preimage.inverse.solvers.pseudo_inverses.facts import Facts
from preimage.inverse.solvers.pseudo_inverses.pseudo_inverse import PseudoInverse, register_route


@register_route
@final
class Circular(PseudoInverse):
    """At each frequency w, a circular convolution of stride s is a matrix H(w), C_out by s^d C_in phases.

    X(w) = H(w)+ Z(w). The columns of H are the Fourier transforms of the answers to one impulse a phase.

    Reference: Sedghi, Gupta and Long (2019), https://arxiv.org/abs/1805.10408.

    Cost: one decomposition a frequency and group once; two Fourier transforms and one batched product a call.
    """

    route = "one singular value decomposition per frequency"

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the map wraps around and shifts of its input by the stride shift its output."""
        if not isinstance(linear, Composition) or len(linear.parts) != 2:
            return False
        pad, convolution = linear.parts
        if not isinstance(pad, CircularPad) or not isinstance(convolution, Convolution):
            return False
        spatial = len(pad.padding) == convolution.dimensions
        inside = all(pair == (0, 0) for pair in convolution.padding)
        sizes = zip(pad.in_shape[1:], convolution.out_shape[1:], convolution.stride, strict=True)
        return spatial and inside and all(size == out * stride for size, out, stride in sizes)

    def _factorise(self, linear: LinearMap) -> Facts:
        convolution = _convolution(linear)
        self._stride, self._groups = convolution.stride, convolution.groups
        self._axes = tuple(range(-convolution.dimensions, 0))
        found = decompose(self._symbol(linear))
        self._inverse = found.inverse
        return Facts(linear.in_size, linear.out_size, found.rank, found.condition, certified=True)

    def _symbol(self, linear: LinearMap) -> Tensor:
        phases = math.prod(self._stride)
        group = linear.in_shape[0] // self._groups
        answers = []
        for index in range(group * phases):  # one impulse in every group at once
            phase = torch.zeros(1, self._groups, group * phases, *linear.out_shape[1:], dtype=torch.float64)
            phase[:, :, index].flatten(2)[..., 0] = 1
            response = linear.apply(self._merge(phase.flatten(1, 2).to(linear.tensors()[0].device)))
            answers.append(torch.fft.fftn(response[0], dim=self._axes))
        symbol = torch.stack(answers, 0)  # (in * phases, C_out, *frequencies)
        symbol = symbol.unflatten(1, (self._groups, -1)).flatten(3)
        return symbol.permute(1, 3, 2, 0)  # (groups, frequencies, out, in * phases)

    def _merge(self, phases: Tensor) -> Tensor:
        """(N, C s^d, *cells) to (N, C, *size): the phases of each cell side by side."""
        dimensions = len(self._stride)
        x = phases.unflatten(1, (-1, *self._stride))
        order = [axis for i in range(dimensions) for axis in (2 + dimensions + i, 2 + i)]
        x = x.permute(0, 1, *order)
        for axis in range(dimensions):
            x = x.flatten(2 + axis, 3 + axis)
        return x

    def _solve(self, z: Tensor) -> tuple[Tensor, Tensor]:
        spectrum = torch.fft.fftn(z, dim=self._axes)
        cells = spectrum.shape[2:]
        columns = spectrum.unflatten(1, (self._groups, -1)).flatten(3).permute(1, 3, 2, 0)
        x = self._inverse.to(columns) @ columns  # (groups, frequencies, in * phases, N)
        x = x.permute(3, 0, 2, 1).flatten(1, 2).unflatten(2, cells)
        answer = self._merge(torch.fft.ifftn(x, dim=self._axes).real)
        return answer, torch.zeros(z.shape[0], dtype=torch.long, device=z.device)


def _convolution(linear: LinearMap) -> Convolution:
    last = linear.parts[-1] if isinstance(linear, Composition) else linear
    if not isinstance(last, Convolution):
        raise TypeError(f"{linear} does not end in a convolution")
    return last
