"""Root mean square normalisation that hands out the scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.layers.norm.layer_norm import Trailing
from preimage.layers.norm.statistics_norm import StatisticsNorm


class RMSNorm(StatisticsNorm):
    r"""Root mean square normalisation, :math:`y = \gamma x / r`, with r handed out.

    :math:`r = \sqrt{\operatorname{mean} x^2 + \epsilon}` over the last dimensions of one row. y alone has
    lost the scale: its Jacobian has rank d - 1.

    Reference: Zhang, Sennrich (2019), Root mean square layer normalization, https://arxiv.org/abs/1910.07467

    Args:
        shape: sizes of the last dimensions, which are normalised together.
        eps: added to the mean square, positive.

    Returns:
        y of the shape of x ``(N, ..., *shape)``, and the statistics r of every place before these dimensions,
        ``(N, G, 1)``, G = 1 where there is none. ``inverse`` takes both as a tuple.

    Raises:
        ShapeError: x does not end with these sizes.
        NotInvertibleError: the inverse is asked for while a weight is 0.

    Cost: O(numel(x)).

    Example:
        >>> layer = RMSNorm(2)
        >>> x = torch.tensor([[3.0, 4.0]])
        >>> torch.allclose(layer.inverse(layer(x)), x)
        True
    """

    def __init__(self, shape: int | Sequence[int], eps: float = 1e-6) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.eps = eps
        self.domain = Trailing(*self.shape)
        self.codomain = (Trailing(*self.shape), Reals(None, 1))
        self.weight = nn.Parameter(torch.ones(self.shape))
        self.bias = None

    @classmethod
    def from_rms_norm(cls, module: nn.RMSNorm) -> RMSNorm:
        """The layer that shares the weight of an ``nn.RMSNorm``.

        Example:
            >>> module = nn.RMSNorm(4)
            >>> x = torch.randn(2, 4)
            >>> torch.allclose(RMSNorm.from_rms_norm(module)(x)[0], module(x), atol=1e-6)
            True
        """
        eps = torch.finfo(torch.float32).eps if module.eps is None else module.eps
        layer = cls(module.normalized_shape, eps)
        layer.weight = module.weight
        return layer

    def group(self, x: Tensor) -> Tensor:
        """The last dimensions together."""
        return x.reshape(x.shape[0], x.shape[1:].numel() // math.prod(self.shape), math.prod(self.shape))

    def measure(self, groups: Tensor) -> Tensor:
        """Root mean square."""
        return (groups.square().mean(-1, keepdim=True) + self.eps).sqrt()

    def centre_and_scale(self, statistics: Tensor) -> tuple[float, Tensor]:
        """Nothing, and the root mean square."""
        return 0.0, statistics

    def align(self, parameter: Tensor, x: Tensor) -> Tensor:
        """As it is: it meets the last dimensions."""
        return parameter
