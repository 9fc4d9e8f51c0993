"""What a palindrome is trained for: to reconstruct, with or without a pull towards exact mirror images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.training.batches import Batch

if TYPE_CHECKING:
    from preimage.palindromes.network import Palindrome

Loss = Callable[[Tensor, Tensor], Tensor]
"""Losses ``(N,)`` of reconstructions and inputs, both ``(N, *event)``."""


def mean_square(output: Tensor, target: Tensor) -> Tensor:
    r"""Mean square error of every row, :math:`\frac1D |\hat x - x|^2`.

    Args:
        output: reconstructions ``(N, *event)``.
        target: inputs of the same shape.

    Returns:
        Tensor ``(N,)``.

    Example:
        >>> mean_square(torch.zeros(1, 2), torch.tensor([[0.0, 2.0]]))
        tensor([2.])
    """
    return (output - target).square().flatten(1).mean(1)


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    r"""Binary cross-entropy of every row in nats a number, for a network that ends in a sigmoid.

    :math:`-\frac1D \sum_i x_i \log s(\hat x_i) + (1 - x_i) \log(1 - s(\hat x_i))`, s the logistic function;
    the reconstruction is :math:`s(\hat x)`.

    Args:
        output: what the second half gives, before the logistic function, ``(N, *event)``.
        target: inputs in [0, 1], of the same shape.

    Returns:
        Tensor ``(N,)``.

    Example:
        >>> cross_entropy(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))
        tensor([0.6931])
    """
    return functional.binary_cross_entropy_with_logits(output, target, reduction="none").flatten(1).mean(1)


def gram_penalty(palindrome: Palindrome) -> Tensor:
    r"""How far the second half is from the inverse of the first, :math:`\sum_l |V_l W_l - I|^2`.

    On the smaller side of every weight, squared Frobenius norms; 0 for pseudo-inverse ties. The determinant
    of :math:`V W` must not be used instead: making it small makes the layers singular.

    Args:
        palindrome: with untied or transposed weights.

    Returns:
        A scalar with gradients.

    Example:
        >>> from preimage.palindromes import Transpose, palindrome
        >>> layer = nn.Linear(2, 2, bias=False)
        >>> _ = nn.init.constant_(layer.weight, 0.0)
        >>> gram_penalty(palindrome(layer, torch.zeros(1, 2), Transpose())).item()
        2.0
    """
    grams = [gram for _, gram in palindrome.grams()]
    parts = [(g - torch.eye(len(g), dtype=g.dtype, device=g.device)).square().sum() for g in grams]
    return torch.stack(parts).sum() if parts else torch.zeros(())


def hidden_penalty(palindrome: Palindrome, x: Tensor) -> Tensor:
    r"""How far the hidden states of both halves are apart, :math:`\sum_l \frac{1}{D_l} |A_l - \bar A_l|^2`.

    Args:
        palindrome: the network.
        x: inputs ``(N, *event)``.

    Returns:
        Tensor ``(N,)``.

    Example:
        >>> from preimage.palindromes import palindrome
        >>> network = palindrome(nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)), torch.zeros(1, 3))
        >>> bool(hidden_penalty(network, torch.rand(4, 3)).max() < 1e-9)
        True
    """
    pairs = palindrome.hidden(x)
    zeros = x.new_zeros(len(x))
    return torch.stack([zeros, *((a - b).square().flatten(1).mean(1) for a, b in pairs)]).sum(0)


@final
class Reconstruction:
    """The objective: a loss of the reconstruction, plus weighted penalties.

    Args:
        loss: such as :func:`mean_square` or :func:`cross_entropy`.
        gram: weight of :func:`gram_penalty`; 0 for none.
        hidden: weight of :func:`hidden_penalty`; 0 for none. It costs a second pass.
        augment: changes a batch of training inputs before the network sees it, such as a small random shift;
            the changed inputs are what is to be reconstructed.

    Example:
        >>> from preimage.palindromes import palindrome
        >>> network = palindrome(nn.Identity(), torch.zeros(1, 2))
        >>> Reconstruction(mean_square)(network, (torch.ones(3, 2),))
        tensor([0., 0., 0.])
    """

    def __init__(
        self,
        loss: Loss,
        *,
        gram: float = 0.0,
        hidden: float = 0.0,
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.loss, self.gram, self.hidden, self.augment = loss, gram, hidden, augment

    def __call__(self, model: nn.Module, batch: Batch) -> Tensor:
        """Losses ``(N,)`` of the first column of a batch."""
        x = batch[0]
        if self.augment is not None and model.training:
            x = self.augment(x)
        losses = self.loss(model(x), x)
        inner: Any = getattr(model, "module", model)  # several processes wrap the network
        if self.gram > 0:
            losses = losses + self.gram * gram_penalty(inner)
        return losses + self.hidden * hidden_penalty(inner, x) if self.hidden > 0 else losses
