"""Coupling of sets: the order of the elements does not matter."""

from __future__ import annotations

from torch import nn

from preimage.domains import Reals
from preimage.layers.coupling.coupling import Coupling
from preimage.layers.coupling.element_map import ElementMap
from preimage.layers.coupling.partition import SlicePartition


class SetCoupling(Coupling):
    r"""Permutation-equivariant coupling of sets, :math:`f(P x) = P f(x)` for every reordering P.

    x holds S elements of C features. Some features of *all* elements stay and decide, through an equivariant
    conditioner, how the others move; log_det does not depend on the order. With a base density that is the
    same for every element the model is exchangeable: a density of sets, of any size.

    Reference: Bilos, Guennemann (2021), Scalable normalizing flows for permutation invariant densities,
    https://proceedings.mlr.press/v139/bilos21a.html; Köhler, Klein, Noé (2020), Equivariant flows,
    https://arxiv.org/abs/2006.02425

    Args:
        features: number C of features of an element, 2 or more.
        conditioner: an equivariant module such as :class:`~preimage.layers.DeepSet` or
            :class:`~preimage.layers.SetTransformer`, from ``(N, keep, S)`` to ``(N, (C - keep) * count, S)``.
            Whether it is equivariant is not checked.
        element_map: the map of the moving features; :class:`~preimage.layers.AffineMap` by default.
        keep: number of features that stay; half of them, rounded down, by default.
        first: whether the first ones stay, or the last ones.
        context: size of the context ``(N, context)``; None for no context.

    Returns:
        y of the shape of x ``(N, C, S)``, and log_det ``(N,)``.

    Raises:
        ValueError: keep is not between 0 and C - 1.
        ShapeError: x is not of this shape, or the conditioner returned another one.

    Cost: one run of the conditioner in either direction.

    Example:
        >>> import torch
        >>> from preimage.layers import DeepSet
        >>> layer = SetCoupling(4, DeepSet(2, 2 * 2))
        >>> x = torch.randn(5, 4, 9)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-6)
        True
    """

    def __init__(
        self,
        features: int,
        conditioner: nn.Module,
        element_map: ElementMap | None = None,
        *,
        keep: int | None = None,
        first: bool = True,
        context: int | None = None,
    ) -> None:
        super().__init__(SlicePartition(features, keep, first=first), conditioner, element_map, context)
        self.domain = self.codomain = Reals(features, None)
