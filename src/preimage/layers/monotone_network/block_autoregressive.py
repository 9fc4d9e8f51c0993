"""Block neural autoregressive flow, with an inverse."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.roots import certain_root
from preimage.layers.monotone_network.block_linear import BlockLinear

LARGEST_GATE = 0.999
"""At least a thousandth of x itself is kept, so that the range is the whole line."""


class BlockAutoregressive(Bijection):
    r"""Block neural autoregressive layer, :math:`y_i = (1 - \alpha_i)\, x_i + \alpha_i f_i(x_{\le i}, c)`.

    One network for all features: f is a perceptron with :math:`\tanh` whose matrices are block triangular
    with positive blocks on the diagonal, so that :math:`f_i` increases with :math:`x_i` and depends on the
    features before it in any way. The gate :math:`\alpha_i` lies between 0 and 0.999. log_det is the sum of
    the logarithms of :math:`\partial y_i / \partial x_i`, sums of products of positive numbers.

    The inverse solves for one feature after the other. Since f is bounded, the root lies in a bracket that is
    known beforehand; it is searched, checked, and has implicit gradients. What does not depend on the feature
    that is solved for is computed once.

    Reference: De Cao, Aziz, Titov (2019), Block neural autoregressive flow, https://arxiv.org/abs/1904.04676

    Args:
        features: number of features D.
        units: numbers of hidden units that each feature has in each hidden layer.
        context: size of the context ``(N, context)``; 0 for none.

    Returns:
        y ``(N, D)`` and log_det ``(N,)``.

    Raises:
        ValueError: there is no hidden layer, or one without units.

    Cost: O(D^2 * units^2) a row forward; for the inverse the same, and D searches of some 9 evaluations of
    O(units^2).

    Example:
        >>> layer = BlockAutoregressive(3)
        >>> x = torch.randn(2, 3)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-5)
        True
    """

    def __init__(self, features: int, units: Sequence[int] = (8, 8), context: int = 0) -> None:
        super().__init__()
        if not units or min(units) < 1:
            raise ValueError(
                f"BlockAutoregressive: units are {tuple(units)}, wanted one or more positive numbers"
            )
        self.domain = self.codomain = Reals(features)
        self.context_domain = Reals(context) if context else None
        sizes = itertools.pairwise([1, *units, 1])
        self.linears = nn.ModuleList(BlockLinear(features, *size) for size in sizes)
        self.of_context = nn.Linear(context, features * units[0], bias=False) if context else None
        self.gate = nn.Parameter(torch.full((features,), -2.0))

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """The network, and beside each unit its derivative by its own feature."""
        h, slope = x, torch.ones_like(x)[..., None]  # (N, D * units), (N, D, units)
        for place, layer in enumerate(self._layers(context)):
            if place:
                h, slope = torch.tanh(h), slope * _tanh_slope(h).view_as(slope)
            h = h @ layer.matrix.t() + layer.offset
            slope = torch.einsum("ndi,dpi->ndp", slope, layer.blocks)
        gate = self._gate()
        y = x + gate * (h - x)
        return y, (1 - gate + gate * slope[..., 0]).log().sum(1)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """One feature after the other."""
        layers = self._layers(context)
        gate, known = self._gate(), [y[:, :0] for _ in layers]  # the inputs of each layer so far
        solved, log_det = [], y.new_zeros(y.shape[0])
        for place, (wanted, part) in enumerate(zip(y.unbind(1), gate, strict=True)):
            feature = _Feature(
                [layer.of_feature(place, h) for layer, h in zip(layers, known, strict=True)], part
            )
            x, slope = certain_root(feature, wanted, *feature.bracket(wanted))  # (N,)
            known = [torch.cat(pair, dim=1) for pair in zip(known, feature.inputs(x), strict=True)]
            solved.append(x)
            log_det = log_det - slope.log()
        return torch.stack(solved, dim=1), log_det

    def _gate(self) -> Tensor:
        return LARGEST_GATE * self.gate.sigmoid()

    def _layers(self, context: Context) -> list[_Layer]:
        linears = [cast(BlockLinear, linear) for linear in self.linears]
        offsets = [linear.bias for linear in linears]
        if self.of_context is not None:
            offsets[0] = offsets[0] + self.of_context(context)
        matrices = [linear.matrix() for linear in linears]
        return [
            _Layer(matrix, linear.blocks(matrix), offset)
            for linear, matrix, offset in zip(linears, matrices, offsets, strict=True)
        ]


class _Layer(NamedTuple):
    """A layer as it is used: W, its diagonal blocks ``(D, P, Q)``, and its offset ``(..., D * P)``."""

    matrix: Tensor
    blocks: Tensor
    offset: Tensor

    def of_feature(self, place: int, known: Tensor) -> tuple[Tensor, Tensor]:
        """The offset of one feature's units ``(N, P)``, given the inputs of earlier ones, and its block."""
        units = self.blocks.shape[1]
        rows = slice(place * units, (place + 1) * units)
        earlier = known @ self.matrix[rows, : known.shape[1]].t()
        return earlier + self.offset[..., rows], self.blocks[place]


class _Feature:
    """What is left of the network when all features before one are known: a function of a single number."""

    def __init__(self, layers: list[tuple[Tensor, Tensor]], gate: Tensor) -> None:
        self.layers, self.gate = layers, gate

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and dy/dx for x ``(N,)``."""
        h, slope = x[:, None], torch.ones_like(x)[:, None]  # (N, units)
        for place, (offset, block) in enumerate(self.layers):
            if place:
                h, slope = torch.tanh(h), slope * _tanh_slope(h)
            h, slope = h @ block.t() + offset, slope @ block.t()
        return x + self.gate * (h[:, 0] - x), 1 - self.gate + self.gate * slope[:, 0]

    def inputs(self, x: Tensor) -> list[Tensor]:
        """What each layer takes at x, ``(N, units)`` each."""
        found = [x[:, None]]
        for offset, block in self.layers[:-1]:
            found.append(torch.tanh(found[-1] @ block.t() + offset))
        return found

    def bracket(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Where the root must lie, because the last hidden units lie between -1 and 1."""
        offset, block = self.layers[-1]
        with torch.no_grad():
            middle = (y - self.gate * offset[:, 0]) / (1 - self.gate)
            reach = 1.001 * self.gate * block.sum() / (1 - self.gate) + 1e-3 * middle.abs()
            return middle - reach, middle + reach


def _tanh_slope(x: Tensor) -> Tensor:
    """The derivative of tanh, without the difference from 1."""
    return 4 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x)
