"""Group normalisation that hands out mean and deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.event import align_event
from preimage.layers.norm.statistics_norm import StatisticsNorm, mean_and_deviation


class GroupNorm(StatisticsNorm):
    r"""Group normalisation, :math:`y = \gamma (x - m_g) / s_g + \beta`, with :math:`m_g, s_g` handed out.

    A group is C / G channels at all positions of one row: G = 1 normalises the whole event, G = C each
    channel by itself (instance normalisation). y alone has lost two numbers a group.

    Reference: Wu, He (2018), Group normalization, https://arxiv.org/abs/1803.08494

    Args:
        groups: number G of groups, a divisor of C.
        features: number C of channels.
        eps: added to the variance, positive.

    Returns:
        y of the shape of x ``(N, C, ...)``, and the statistics ``(N, G, 2)``: mean and deviation.
        ``inverse`` takes both as a tuple.

    Raises:
        ShapeError: x does not have C channels.
        ValueError: G does not divide C.
        NotInvertibleError: the inverse is asked for while a weight is 0.

    Cost: O(numel(x)).

    Example:
        >>> layer = GroupNorm(2, 4)
        >>> x = torch.randn(3, 4, 5)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-5)
        True
    """

    def __init__(self, groups: int, features: int, eps: float = 1e-5) -> None:
        super().__init__()
        if groups < 1 or features % groups:
            raise ValueError(f"GroupNorm: groups is {groups}, wanted a divisor of the {features} channels")
        self.groups, self.eps = groups, eps
        self.domain = Reals(features, ...)
        self.codomain = (Reals(features, ...), Reals(groups, 2))
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    @classmethod
    def from_group_norm(cls, module: nn.GroupNorm) -> GroupNorm:
        """The layer that shares the parameters of an ``nn.GroupNorm``.

        Example:
            >>> module = nn.GroupNorm(2, 4)
            >>> x = torch.randn(2, 4, 3)
            >>> torch.allclose(GroupNorm.from_group_norm(module)(x)[0], module(x), atol=1e-6)
            True
        """
        layer = cls(module.num_groups, module.num_channels, module.eps)
        layer.weight, layer.bias = module.weight, module.bias
        return layer

    def group(self, x: Tensor) -> Tensor:
        """Neighbouring channels with all their positions together."""
        return x.reshape(x.shape[0], self.groups, x.shape[1:].numel() // self.groups)

    def measure(self, groups: Tensor) -> Tensor:
        """Mean and deviation."""
        return mean_and_deviation(groups, self.eps)

    def centre_and_scale(self, statistics: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation."""
        return statistics[..., :1], statistics[..., 1:]

    def align(self, parameter: Tensor, x: Tensor) -> Tensor:
        """One per channel."""
        return align_event(parameter, x)
