"""Layers of mixed sigmoids between logits, with slopes in which nothing cancels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sigmoid_mixture(
    h: Tensor, log_slope: Tensor, inner: Tensor, log_steepness: Tensor, shift: Tensor, outer: Tensor
) -> tuple[Tensor, Tensor]:
    r"""One layer of a deep sigmoidal flow, with its derivative.

    .. math:: h'_k = \operatorname{logit} \sum_i w_{ki}\, \sigma\big(a_i \sum_j u_{ij} h_j + b_i\big)

    Sums of probabilities are taken as logarithms, so that values far out keep their digits. The slope is a
    mean of the steepnesses with positive weights, in which nothing cancels, and its logarithm underflows
    nowhere.

    Reference: Huang, Krueger, Lacoste, Courville (2018), Neural autoregressive flows, section 3.2,
    https://arxiv.org/abs/1804.00779

    Args:
        h: the units that come in, ``(..., J)``.
        log_slope: logarithms of their derivatives by whatever they are functions of, ``(..., J)``.
        inner: logits of u over j, ``(..., I, J)``.
        log_steepness: log a, ``(..., I)``.
        shift: b, ``(..., I)``.
        outer: logits of w over i, ``(..., K, I)``.

    Returns:
        h' and the logarithms of its derivatives, ``(..., K)``.

    Cost: O(I J + I K) an element.

    Example:
        >>> one = torch.ones(1)
        >>> h, log_slope = sigmoid_mixture(3 * one, 0 * one, one[None], one.log() + 2, one, one[None])
        >>> h, log_slope
        (tensor([23.1672]), tensor([2.]))
    """
    shares = inner.log_softmax(-1)  # (..., I, J)
    at = log_steepness.exp() * (shares.exp() * h[..., None, :]).sum(-1) + shift  # (..., I)
    log_slope = log_steepness + (shares + log_slope[..., None, :]).logsumexp(-1)
    hits, misses = functional.logsigmoid(at)[..., None, :], functional.logsigmoid(-at)[..., None, :]
    weights = outer.log_softmax(-1)  # (..., K, I)
    hit, missed = weights + hits, weights + misses
    mean = torch.logaddexp(hit.log_softmax(-1) + misses, missed.log_softmax(-1) + hits)
    return hit.logsumexp(-1) - missed.logsumexp(-1), (mean + log_slope[..., None, :]).logsumexp(-1)
