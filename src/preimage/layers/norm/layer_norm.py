"""Layer normalisation that hands out mean and deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.layers.norm.statistics_norm import StatisticsNorm, mean_and_deviation


class Trailing(Reals):
    """Events whose last dimensions have given sizes, with anything before them.

    Args:
        shape: the last sizes.

    Example:
        >>> Trailing(4).fits((7, 4)), Trailing(4).describe_shape()
        (True, '(N, ..., 4)')
    """

    def fits(self, event_shape: Sequence[int]) -> bool:
        """Whether the last sizes are these."""
        return tuple(event_shape)[-len(self.fixed) :] == self.fixed

    def describe_shape(self) -> str:
        """The pattern for people."""
        return f"(N, ..., {', '.join(map(str, self.fixed))})"


class LayerNorm(StatisticsNorm):
    r"""Layer normalisation, :math:`y = \gamma (x - m) / s + \beta`, with m and s handed out.

    m is the mean of the last dimensions of one row and :math:`s = \sqrt{\text{variance} + \epsilon}`. y
    alone does not determine x: up to :math:`\epsilon`, :math:`y(3x + 5) = y(x)`, and the Jacobian of y has
    rank d - 2.

    Reference: Ba, Kiros, Hinton (2016), Layer normalization, https://arxiv.org/abs/1607.06450

    Args:
        shape: sizes of the last dimensions, which are normalised together.
        eps: added to the variance, positive.

    Returns:
        y of the shape of x ``(N, ..., *shape)``, and the statistics (m, s) of every place before these
        dimensions, ``(N, G, 2)``, G = 1 where there is none. ``inverse`` takes both as a tuple.

    Raises:
        ShapeError: x does not end with these sizes.
        NotInvertibleError: the inverse is asked for while a weight is 0.

    Cost: O(numel(x)).

    Example:
        >>> layer = LayerNorm(3)
        >>> x = torch.tensor([[1.0, 2.0, 6.0]])
        >>> y, statistics = layer(x)
        >>> torch.allclose(layer.inverse((y, statistics)), x), statistics[0, 0, 0].item()
        (True, 3.0)
    """

    def __init__(self, shape: int | Sequence[int], eps: float = 1e-5) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.eps = eps
        self.domain = Trailing(*self.shape)
        self.codomain = (Trailing(*self.shape), Reals(None, 2))
        self.weight = nn.Parameter(torch.ones(self.shape))
        self.bias = nn.Parameter(torch.zeros(self.shape))

    @classmethod
    def from_layer_norm(cls, module: nn.LayerNorm) -> LayerNorm:
        """The layer that shares the parameters of an ``nn.LayerNorm``.

        Example:
            >>> module = nn.LayerNorm(4)
            >>> x = torch.randn(2, 4)
            >>> torch.allclose(LayerNorm.from_layer_norm(module)(x)[0], module(x), atol=1e-6)
            True
        """
        layer = cls(module.normalized_shape, module.eps)
        layer.weight, layer.bias = module.weight, module.bias
        return layer

    def group(self, x: Tensor) -> Tensor:
        """The last dimensions together."""
        return x.reshape(x.shape[0], x.shape[1:].numel() // math.prod(self.shape), math.prod(self.shape))

    def measure(self, groups: Tensor) -> Tensor:
        """Mean and deviation."""
        return mean_and_deviation(groups, self.eps)

    def centre_and_scale(self, statistics: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation."""
        return statistics[..., :1], statistics[..., 1:]

    def align(self, parameter: Tensor, x: Tensor) -> Tensor:
        """As it is: it meets the last dimensions."""
        return parameter
