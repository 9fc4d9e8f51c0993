"""Whole numbers from flows that know nothing of their bounds."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.layers import Dequantisation


class ClampedDequantisation(Dequantisation):
    r"""Dequantisation in front of a flow over all real numbers: what it draws outside of [0, 1) is clamped.

    Forward it is :class:`~preimage.layers.Dequantisation`. Backwards a latent below 0 counts as level 0 and
    one above 1 as the highest. What the flow gives to places outside of the box is mass that ``log_prob``
    does not count for the end levels, so it stays a bound from below.

    Reference: Kingma, Dhariwal (2018), Glow, https://arxiv.org/abs/1807.03039

    Args:
        levels: number L of levels, 256 for pictures of bytes.
        noise: the distribution over a bin; uniform by default.

    Returns:
        As for Dequantisation.

    Raises:
        ValueError: there are fewer than two levels.

    Cost: that of the noise.

    Example:
        >>> ClampedDequantisation(4).inverse(torch.tensor([[-0.3, 0.6, 7.0]]))
        tensor([[0., 2., 3.]])
    """

    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Clamp, then round down."""
        below_one = 1 - torch.finfo(y.dtype).eps
        return super().inverse_and_log_weight(y.clamp(0, below_one), generator)
