"""A flow on the sphere that follows a potential."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.functional.scalar.bounded import bounded_exp
from preimage.functional.sphere.exponential_map import Push
from preimage.layers.manifold.directions import Directions
from preimage.layers.manifold.sphere_moebius import length_of

SHARPEST = 64.0
"""The largest sharpness, and the inverse of the smallest one."""


@final
class SpherePush(Bijection):
    r"""Exponential-map flow on the sphere :math:`S^D`, :math:`y = \exp_x(\nabla \varphi(x))`, a point moved
    along a great circle by the gradient of

    .. math:: \varphi(x) = \sum_{k=1}^K \frac{a_k}{b_k} e^{b_k (x^\top m_k - 1)}.

    Points are drawn towards K learned centres m, with learned sharpness b. The amounts a are positive with a
    sum below 1 by construction (0.9 at most), which makes the map a bijection. There are no poles and no
    seams. Vectors keep their length, so the layer is a bijection of all vectors but zero, and its

    .. math:: \text{log\_det} = \log \left| \frac{d\sigma(y / |y|)}{d\sigma(x / |x|)} \right|

    is that with respect to the surface of the unit sphere: the determinant of the Jacobian, in closed form,
    between tangent planes. The inverse is a Newton search with implicit gradients that gets nearer at every
    step.

    Reference: Rezende et al. (2020), Normalizing flows on tori and spheres, section 2.3,
    https://arxiv.org/abs/2002.02428; Sei (2013), https://doi.org/10.1080/03610926.2011.563017, for when it
    is a bijection

    Args:
        dimension: dimension D of the sphere, 1 or more; vectors have D + 1 coordinates.
        centres: number of centres K, 1 or more.

    Returns:
        y of the shape of x ``(N, D + 1)``, of the same length, and log_det ``(N,)``.

    Raises:
        DomainError: a vector is zero.
        ValueError: a setting is out of range.

    Cost: O(K D^2 + D^3) a vector forward, some 70 times that in the inverse.

    Example:
        >>> layer = SpherePush(2)
        >>> x = torch.tensor([[0.0, 0.0, 1.0]])
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-5)
        True
    """

    def __init__(self, dimension: int, centres: int = 8) -> None:
        super().__init__()
        if dimension < 1 or centres < 1:
            raise ValueError(
                f"SpherePush: dimension {dimension} and {centres} centres, wanted one or more of either, such"
                " as 2 and 8"
            )
        self.domain = self.codomain = Directions(dimension + 1, dimension + 1)
        self.raw_amounts = nn.Parameter(torch.full((centres,), -3.0))
        self.log_sharpness = nn.Parameter(torch.zeros(centres))
        self.raw_centres = nn.Parameter(torch.randn(centres, dimension + 1))

    @property
    def push(self) -> Push:
        """The map of unit vectors."""
        shares = torch.cat([self.raw_amounts, self.raw_amounts.new_zeros(1)]).softmax(0)
        centres = torch.nn.functional.normalize(self.raw_centres, dim=1)
        return Push(0.9 * shares[:-1], bounded_exp(self.log_sharpness, SHARPEST), centres)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Along great circles."""
        size = length_of(x)  # (N, 1)
        y, jacobian = self.push.at(x / size)
        return size * y, torch.linalg.slogdet(jacobian).logabsdet

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Search where the points came from."""
        size, push = length_of(y), self.push
        x = push.root(y / size)
        return size * x, -torch.linalg.slogdet(push.at(x)[1]).logabsdet
