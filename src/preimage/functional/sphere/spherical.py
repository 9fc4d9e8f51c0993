"""Spherical coordinates in any dimension."""

from __future__ import annotations

import math

import torch
from torch import Tensor

Spherical = tuple[Tensor, Tensor, Tensor]


def to_spherical(x: Tensor) -> tuple[Spherical, Tensor]:
    r"""Radius, latitudes and longitude of vectors, and the log_det of this change of coordinates.

    Args:
        x: vectors ``(N, D + 1)`` with D at least 2; the first two coordinates not both zero.

    Returns:
        Radius ``(N, 1)``, latitudes ``(N, D - 1)``, longitude ``(N, 1)``, and log_det ``(N,)``.

    Cost: O(D) a vector.

    Example:
        >>> to_spherical(torch.tensor([[1.0, 0.0, 0.0]]))[0]
        (tensor([[1.]]), tensor([[0.]]), tensor([[0.]]))
    """
    radii = _radii(x)
    latitudes = torch.atan2(x[:, 2:], radii[:, :-1])
    longitude = torch.atan2(x[:, 1], x[:, 0])
    return (radii[:, -1:], latitudes, longitude[:, None]), -_log_volume(radii)


def from_spherical(radius: Tensor, latitudes: Tensor, longitude: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of :func:`to_spherical`, for any longitude.

    Args:
        radius, latitudes, longitude: as returned there.

    Returns:
        The vectors ``(N, D + 1)``, and log_det ``(N,)``.

    Cost: O(D) a vector.

    Example:
        >>> from_spherical(torch.ones(1, 1), torch.zeros(1, 1), torch.zeros(1, 1))[0]
        tensor([[1., 0., 0.]])
    """
    cosines = cosine_of_latitude(latitudes).flip(1)  # the last latitude first
    radii = torch.cat([radius * cosines.cumprod(1).flip(1), radius], dim=1)  # (N, D)
    first = radii[:, :1] * torch.cat([longitude.cos(), longitude.sin()], dim=1)
    return torch.cat([first, radii[:, 1:] * latitudes.sin()], dim=1), _log_volume(radii)


def cosine_of_latitude(latitude: Tensor) -> Tensor:
    """The cosine, right to its relative digits near the poles, and positive there.

    Args:
        latitude: any shape, between -pi/2 and pi/2.

    Returns:
        Tensor of the shape of latitude.

    Example:
        >>> cosine_of_latitude(torch.zeros(1))
        tensor([1.])
    """
    from_pole = (math.pi / 2 - latitude.abs()).clamp_min(torch.finfo(latitude.dtype).eps / 8)
    return from_pole.sin()


def _radii(x: Tensor) -> Tensor:
    """Lengths of the first 2, 3, ... coordinates, ``(N, D)``, by ``hypot``, which does not underflow."""
    radii = [torch.hypot(x[:, 0], x[:, 1])]
    for i in range(2, x.shape[1]):
        radii.append(torch.hypot(radii[-1], x[:, i]))
    return torch.stack(radii, dim=1)


def _log_volume(radii: Tensor) -> Tensor:
    """Log-volume of a coordinate cell: the radius to the power D, cosines as quotients of two lengths."""
    log = radii.log()  # (N, D)
    powers = torch.arange(1, log.shape[1], dtype=log.dtype, device=log.device)  # of the cosines
    return log.shape[1] * log[:, -1] + ((log[:, :-1] - log[:, 1:]) * powers).sum(1)
