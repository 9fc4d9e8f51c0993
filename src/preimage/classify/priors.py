"""How probable classes are before anything is seen."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def log_priors(priors: Any, classes: int) -> Tensor:
    """The logarithms of priors ``(K,)``, equal ones by default.

    Raises:
        ValueError: they are not K probabilities that add up to 1.
    """
    if priors is None:
        return torch.full((classes,), -math.log(classes))
    given = torch.as_tensor(priors, dtype=torch.float64)
    fits = given.shape == (classes,) and bool((given > 0).all()) and abs(given.sum().item() - 1) < 1e-4
    if not fits:
        raise ValueError(
            f"GenerativeClassifier: priors are {given.tolist()}, wanted {classes} positive numbers that add"
            " up to 1; see class_frequencies(labels, classes)"
        )
    return given.log().to(torch.get_default_dtype())


def class_frequencies(labels: Any, classes: int, pseudo_count: float = 1.0) -> Tensor:
    r"""Priors from labels, :math:`p(c) = (n_c + a) / (n + K a)`.

    Args:
        labels: whole numbers ``(N,)``; -1, for rows without a class, are left out.
        classes: number of classes K.
        pseudo_count: a, added to every count so that no class is impossible, positive.

    Returns:
        Tensor ``(K,)`` that adds up to 1.

    Example:
        >>> class_frequencies([0, 0, 0, 1, -1], classes=2)
        tensor([0.6667, 0.3333])
    """
    known = torch.as_tensor(labels).long()
    counts = torch.bincount(known[known >= 0], minlength=classes) + pseudo_count
    return counts / counts.sum()
