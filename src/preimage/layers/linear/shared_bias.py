"""The bias of another module as a layer of its own."""

from __future__ import annotations

from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.domains import Reals
from preimage.errors import NotInvertibleError
from preimage.functional.event import align_event, zero_log_det


class SharedBias(Bijection):
    r"""Shift by the bias of another module, :math:`y = x + b`; log_det is exactly 0.

    The parameter is that of the module, not a copy: training, moving or loading one changes both. The inverse
    subtracts what a linear layer added, before its weight is undone.

    Reference: Kingma, Dhariwal (2018), Glow, https://arxiv.org/abs/1807.03039

    Args:
        module: any module with a vector called ``bias``, such as ``nn.Linear`` or ``nn.Conv2d``.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)`` of zeros.

    Raises:
        NotInvertibleError: the module has no bias.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> linear = torch.nn.Linear(4, 3)
        >>> layer = SharedBias(linear)
        >>> layer.bias is linear.bias
        True
        >>> torch.allclose(layer.inverse(linear(torch.zeros(1, 4))), torch.zeros(1, 3))
        True
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        bias = getattr(module, "bias", None)
        if not isinstance(bias, Tensor) or bias.dim() != 1:
            raise NotInvertibleError(
                f"SharedBias: {type(module).__name__} has no bias vector; leave this layer out, or use Bias"
            )
        self.bias = bias
        self.domain = self.codomain = Reals(bias.shape[0], ...)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Add the bias."""
        return x + align_event(self.bias, x), zero_log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Subtract the bias."""
        return y - align_event(self.bias, y), zero_log_det(y)
