"""Layers of mixed sigmoids between logits, with slopes in which nothing cancels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def sigmoid_mixture(
    h: Tensor, slope: Tensor, inner: Tensor, steepness: Tensor, shift: Tensor, outer: Tensor
) -> tuple[Tensor, Tensor]:
    r"""One layer of a deep sigmoidal flow, with its derivative.

    .. math:: h'_k = \operatorname{logit} \sum_i w_{ki}\, \sigma\big(a_i \sum_j u_{ij} h_j + b_i\big)

    Sums of probabilities are taken as logarithms, so that values far out keep their digits. The slope is a
    mean of the steepnesses with positive weights, in which nothing cancels.

    Reference: Huang, Krueger, Lacoste, Courville (2018), Neural autoregressive flows, section 3.2,
    https://arxiv.org/abs/1804.00779

    Args:
        h: the units that come in, ``(..., J)``.
        slope: their derivatives by whatever they are functions of, positive, ``(..., J)``.
        inner: logits of u over j, ``(..., I, J)``.
        steepness: a, positive, ``(..., I)``.
        shift: b, ``(..., I)``.
        outer: logits of w over i, ``(..., K, I)``.

    Returns:
        h' and its derivatives, ``(..., K)``.

    Cost: O(I J + I K) an element.

    Example:
        >>> import torch
        >>> one = torch.ones(1)
        >>> sigmoid_mixture(3 * one, one, one[None], 2 * one, one, one[None])
        (tensor([7.]), tensor([2.]))
    """
    shares = inner.softmax(-1)  # (..., I, J)
    at = steepness * (shares * h[..., None, :]).sum(-1) + shift  # (..., I)
    slope = steepness * (shares * slope[..., None, :]).sum(-1)
    weights = outer.log_softmax(-1)  # (..., K, I)
    hit = weights + functional.logsigmoid(at)[..., None, :]
    missed = weights + functional.logsigmoid(-at)[..., None, :]
    log_odds = hit.logsumexp(-1) - missed.logsumexp(-1)  # (..., K)
    mean = hit.softmax(-1) * (-at).sigmoid()[..., None, :] + missed.softmax(-1) * at.sigmoid()[..., None, :]
    return log_odds, (mean * slope[..., None, :]).sum(-1)
