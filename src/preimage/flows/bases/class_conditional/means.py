"""Where the means of classes may start, or stay."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.errors import ShapeError


def random_means(classes: int, *event_shape: int, generator: torch.Generator | None = None) -> Tensor:
    r"""Class means drawn from :math:`\mathcal N(0, I)`, as in Flow-GMM.

    Two of them are about :math:`\sqrt{2 D}` apart in D dimensions.

    Reference: Izmailov, Kirichenko, Finzi, Wilson (2020), https://arxiv.org/abs/1912.13025

    Args:
        classes: number of classes K.
        event_shape: sizes of one latent.
        generator: source of randomness; the global one by default.

    Returns:
        Tensor ``(K, *event)``.

    Example:
        >>> random_means(3, 4, 4).shape
        torch.Size([3, 4, 4])
    """
    return torch.randn(classes, *event_shape, generator=generator)


def equidistant_means(
    classes: int, *event_shape: int, distance: float, generator: torch.Generator | None = None
) -> Tensor:
    r"""Class means around zero, every two of which are equally far apart: the corners of a simplex.

    .. math:: \|\mu_a - \mu_b\| = d \quad (a \ne b), \qquad \sum_c \mu_c = 0

    The simplex is turned at random, so that no element of the latent is special. With equal priors and
    spreads 1, two classes at distance d are confused with probability :math:`\Phi(-d / 2)`.

    Args:
        classes: number of classes K.
        event_shape: sizes of one latent, at least K - 1 numbers.
        distance: between two means, positive.
        generator: source of randomness of the turn; the global one by default.

    Returns:
        Tensor ``(K, *event)``.

    Raises:
        ValueError: the distance is not positive.
        ShapeError: K means do not fit into so few dimensions.

    Cost: one QR factorisation of ``(D, K)``.

    Example:
        >>> torch.cdist(*[equidistant_means(3, 8, distance=5.0)] * 2).round(decimals=4)[0]
        tensor([0., 5., 5.])
    """
    size = math.prod(event_shape)
    if not 0 < distance < math.inf:
        raise ValueError(f"equidistant_means: distance is {distance}, wanted a positive number")
    if size < classes - 1:
        raise ShapeError(
            f"equidistant_means: {classes} means equally far apart need {classes - 1} dimensions, event shape"
            f" {event_shape} has {size}; use random_means"
        )
    corners = torch.eye(classes, dtype=torch.float64)
    corners = corners - corners.mean(0)  # (K, K) of rank K - 1
    axes = torch.linalg.qr(corners[:, :-1]).Q  # (K, K - 1): an orthonormal basis of the rows
    turn = torch.randn(size, classes - 1, dtype=torch.float64, generator=generator)
    placed = corners @ axes @ torch.linalg.qr(turn).Q.T  # (K, D)
    means = placed * (distance / math.sqrt(2))
    return means.reshape(classes, *event_shape).to(torch.get_default_dtype())
