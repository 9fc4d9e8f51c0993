"""A learnable scale per feature."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.event import align_event
from preimage.layers.elementwise.elementwise import Elementwise


class Diagonal(Elementwise):
    r"""Scale, :math:`y = e^{a} x`, one :math:`a` per feature, so the scale can never reach zero.

    log_det is :math:`\sum a` over all elements of the event: positions that share a scale each count.

    Reference: Dinh, Krueger, Bengio (2015), NICE, section 3.3, https://arxiv.org/abs/1410.8516

    Args:
        shape: sizes of the first event dimensions that have a scale of their own, as for
            :class:`~preimage.layers.Bias`. The scale starts at 1.

    Returns:
        y of the shape of x ``(N, *shape, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not begin with these sizes.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> layer = Diagonal(2)
        >>> torch.nn.init.constant_(layer.log_scale, 1.0).shape
        torch.Size([2])
        >>> layer.forward_and_log_det(torch.ones(1, 2, 5))[1]
        tensor([10.], grad_fn=<SumBackward1>)
    """

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        self.domain = self.codomain = Reals(*sizes, ...)
        self.log_scale = nn.Parameter(torch.zeros(sizes))

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply by the scale."""
        log_scale = align_event(self.log_scale, x)
        return x * log_scale.exp(), log_scale

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Divide by the scale."""
        log_scale = align_event(self.log_scale, y)
        return y / log_scale.exp(), -log_scale
