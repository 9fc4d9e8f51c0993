"""A learnable shift."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.functional.event import align_event, zero_log_det


class Bias(Bijection):
    r"""Shift, :math:`y = x + b`; log_det is exactly 0.

    Reference: the additive part of a linear layer; as a flow layer in Kingma, Dhariwal (2018), Glow,
    https://arxiv.org/abs/1807.03039

    Args:
        shape: sizes of the first event dimensions that have a shift of their own: ``features`` for one shift
            per feature or channel, ``(C, H, W)`` for one per position. Further dimensions share it.

    Returns:
        y of the shape of x ``(N, *shape, ...)``, and log_det ``(N,)`` of zeros.

    Raises:
        ShapeError: x does not begin with these sizes.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> Bias(2)(torch.ones(1, 2))
        tensor([[1., 1.]], grad_fn=<AddBackward0>)
    """

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        self.domain = self.codomain = Reals(*sizes, ...)
        self.shift = nn.Parameter(torch.zeros(sizes))

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Add the shift."""
        return x + align_event(self.shift, x), zero_log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Subtract the shift."""
        return y - align_event(self.shift, y), zero_log_det(y)
