"""Element maps one after the other."""

from __future__ import annotations

from typing import cast, final

from torch import Tensor, nn

from preimage.layers.coupling.element_map import ElementMap


@final
class ComposedMap(ElementMap):
    r"""Several element maps as one, :math:`y = g_L(\dots g_1(x; r_1) \dots; r_L)`.

    The parameters of each stand one behind the other. A scale and shift before a spline lets one network move
    the data into the box first, where the spline has its bins.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), Cubic-spline flows, section 2,
    https://arxiv.org/abs/1906.02145

    Args:
        maps: the maps in the order in which they are applied, one or more.

    Raises:
        ValueError: there is none.

    Cost: the sum of theirs.

    Example:
        >>> import torch
        >>> from preimage.layers import AffineMap, RationalQuadraticMap
        >>> both = ComposedMap(AffineMap(), RationalQuadraticMap(bins=4))
        >>> both.count, both.forward_elements(torch.ones(1), torch.zeros(1, 13))[0]
        (13, tensor([1.]))
    """

    def __init__(self, *maps: ElementMap) -> None:
        if not maps:
            raise ValueError("ComposedMap: got no map, wanted one or more, such as ComposedMap(AffineMap())")
        super().__init__(sum(element_map.count for element_map in maps))
        self.maps = nn.ModuleList(maps)

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """The first map first."""
        log_slope = x.new_zeros(())
        for element_map, part in self._parts(raw):
            x, more = element_map.forward_elements(x, part)
            log_slope = log_slope + more
        return x, log_slope

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """The last map first."""
        log_slope = y.new_zeros(())
        for element_map, part in reversed(self._parts(raw)):
            y, more = element_map.inverse_elements(y, part)
            log_slope = log_slope + more
        return y, log_slope

    def _parts(self, raw: Tensor) -> list[tuple[ElementMap, Tensor]]:
        """Every map with its parameters."""
        maps = cast("list[ElementMap]", list(self.maps))
        return list(zip(maps, raw.split([one.count for one in maps], dim=-1), strict=True))
