"""A map of single numbers with parameters of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.layers.coupling.element_map import ElementMap
from preimage.layers.elementwise.elementwise import Elementwise


@final
class LearnedMap(Elementwise):
    r"""An element map whose parameters are learned directly, :math:`y_i = g(x_i;\, \theta_i)`.

    The same maps that couplings and autoregressive layers take from a network, as a layer of their own: a
    learned activation, or a fit of marginal distributions. log_det is the sum of the log-slopes of g.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), Neural spline flows, section 3.1,
    https://arxiv.org/abs/1906.04032

    Args:
        element_map: the map g, such as :class:`~preimage.layers.RationalQuadraticMap`.
        shape: sizes of the first event dimensions that have parameters of their own: ``()`` one set for all,
            ``features`` one per feature or channel, ``(C, H, W)`` one per position.
        deviation: standard deviation of the parameters at the start; 0 for the identity, or what g makes of
            zeros. Mixtures need different components to begin with.

    Returns:
        y of the shape of x ``(N, *shape, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not begin with these sizes.

    Cost: that of the element map.

    Example:
        >>> from preimage.layers import RationalQuadraticMap
        >>> layer = LearnedMap(RationalQuadraticMap(bins=5), 2)
        >>> layer(torch.tensor([[0.5, -9.0]]))
        tensor([[ 0.5000, -9.0000]], grad_fn=<WhereBackward0>)
    """

    def __init__(
        self, element_map: ElementMap, shape: int | Sequence[int] = (), deviation: float = 0.0
    ) -> None:
        super().__init__()
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        self.element_map = element_map
        self.raw = nn.Parameter(deviation * torch.randn(*sizes, element_map.count))
        self.domain = self.codomain = Reals(*sizes, ...)

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x."""
        return self.element_map.forward_elements(x, self._parameters_for(x))

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map y back."""
        return self.element_map.inverse_elements(y, self._parameters_for(y))

    def _parameters_for(self, x: Tensor) -> Tensor:
        """``(1, *shape, 1, ..., count)``: sizes of 1 broadcast, so that nothing is computed twice."""
        *sizes, count = self.raw.shape
        return self.raw.reshape(1, *sizes, *[1] * (x.dim() - 1 - len(sizes)), count)
