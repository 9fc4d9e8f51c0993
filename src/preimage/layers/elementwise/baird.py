"""Baird's activation: a shift between two hyperbolic sines."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.event import align_event
from preimage.functional.scalar.hyperbolic import sign_and_size
from preimage.layers.elementwise.elementwise import Elementwise

_FAR = 15.0


class Baird(Elementwise):
    r"""Shift under a hyperbolic sine, :math:`f_c(x) = \operatorname{arsinh}(\sinh x + c)`.

    A bijection of the real line for every c, the identity at c = 0, close to x far out, and bent by c around
    zero. The maps form a group, :math:`f_a \circ f_b = f_{a+b}`, so the inverse is :math:`f_{-c}`: exactly as
    dear as the map. Slope :math:`\cosh x / \cosh f_c(x)`. Computed with :math:`e^{-|x|}` factored out, which
    never overflows.

    Reference: Baird, Smalenberger, Ingkiriwang (2005), One-step neural network inversion with PDF learning
    and emulation, https://doi.org/10.1109/IJCNN.2005.1555983

    Args:
        shape: sizes of the first event dimensions that have a shift of their own: ``()`` one for all,
            ``features`` one per feature or channel, ``(C, H, W)`` one per position. Starts as the identity.

    Returns:
        y of the shape of x ``(N, *shape, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not begin with these sizes.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> layer = Baird(2)
        >>> _ = torch.nn.init.constant_(layer.shift, 3.0)
        >>> layer(torch.tensor([[0.0, 800.0]])).detach()
        tensor([[  1.8184, 800.0000]])
    """

    def __init__(self, shape: int | Sequence[int] = ()) -> None:
        super().__init__()
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        self.domain = self.codomain = Reals(*sizes, ...)
        self.shift = nn.Parameter(torch.zeros(sizes))

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shift by c."""
        return _shift(x, align_event(self.shift, x))

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Shift by -c."""
        return _shift(y, -align_event(self.shift, y))


def _shift(x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    sign, size = sign_and_size(x)
    small = (-size).exp()
    scaled = sign * -torch.expm1(-2 * size) / 2 + c * small  # (sinh x + c) e^-|x|
    radius = torch.hypot(scaled, small)  # cosh(y) e^-|x|
    log_slope = ((1 + small * small) / 2).log() - radius.log()
    far = size > _FAR
    near_x = torch.where(far, torch.zeros_like(x), x)
    side, tall = sign_and_size(torch.where(far, scaled, torch.ones_like(x)))
    tower = torch.where(far, radius, torch.ones_like(x))
    y = torch.where(far, side * (size + (tall + tower).log()), (near_x.sinh() + c).asinh())
    return y, log_slope
