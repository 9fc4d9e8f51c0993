"""A learnable scale and shift per feature."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.event import align_event
from preimage.layers.elementwise.elementwise import Elementwise


class Affine(Elementwise):
    r"""Scale, then shift, :math:`y = e^{a} x + b`; log_det is :math:`\sum a` over the event.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.1, https://arxiv.org/abs/1807.03039

    Args:
        shape: sizes of the first event dimensions that have a scale and shift of their own, as for
            :class:`~preimage.layers.Bias`. Starts as the identity.

    Returns:
        y of the shape of x ``(N, *shape, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not begin with these sizes.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> layer = Affine(2)
        >>> x = torch.ones(1, 2)
        >>> torch.equal(layer.inverse(layer(x)), x)
        True
    """

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        self.domain = self.codomain = Reals(*sizes, ...)
        self.log_scale = nn.Parameter(torch.zeros(sizes))
        self.shift = nn.Parameter(torch.zeros(sizes))

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply, then add."""
        log_scale = align_event(self.log_scale, x)
        return x * log_scale.exp() + align_event(self.shift, x), log_scale

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Subtract, then divide."""
        log_scale = align_event(self.log_scale, y)
        return (y - align_event(self.shift, y)) / log_scale.exp(), -log_scale
