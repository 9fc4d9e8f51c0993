"""How much the class says about the data, which is never much."""

from __future__ import annotations

import math

from torch import Tensor

from preimage.classify.labels import checked_labels


def class_information(class_log_prob: Tensor, labels: Tensor, log_prior: Tensor) -> float:
    r"""By how many bits knowing the class shortens the description of an input, on average.

    .. math:: \frac1N \sum_n \log_2 \frac{p(x_n \mid c_n)}{p(x_n)}
        = \frac1N \sum_n \log_2 \frac{p(c_n \mid x_n)}{p(c_n)} \le \log_2 \frac{1}{\min_c p(c)}

    It estimates the mutual information I(X; C) from below, which is at most the entropy of the classes,
    :math:`\log_2 K` bits for K equal ones: nothing beside the thousands of bits of a picture. So a classifier
    can lose all of it and hardly change its density, and a better density says little about accuracy.

    Reference: Fetaya, Jacobsen, Grathwohl, Zemel (2020), Understanding the limitations of conditional
    generative models, https://arxiv.org/abs/1906.01171

    Args:
        class_log_prob: :math:`\log p(x_n \mid c)` in nats, ``(N, K)``.
        labels: true classes, whole numbers ``(N,)``.
        log_prior: :math:`\log p(c)`, ``(K,)``.

    Returns:
        Bits for an input; negative where the densities mislead.

    Raises:
        ShapeError: no rows, or the labels do not fit them.

    Cost: O(N K).

    Example:
        >>> import torch
        >>> certain = torch.tensor([[0.0, -99.0], [-99.0, 0.0]])
        >>> round(class_information(certain, torch.tensor([0, 1]), torch.tensor([0.5, 0.5]).log()), 6)
        1.0
    """
    checked_labels("class_information", class_log_prob, labels)
    marginal = (class_log_prob + log_prior).logsumexp(dim=1)
    own = class_log_prob.gather(1, labels[:, None])[:, 0]
    return float((own - marginal).double().mean()) / math.log(2)
