"""How close a reconstruction is, in the picture and in the features: the two can pull apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from preimage.errors import ShapeError

# Below this mean squared error, single precision cannot tell two pictures apart: 140 dB.
_SMALLEST_ERROR = 1e-14


def psnr(picture: Tensor, reconstruction: Tensor) -> Tensor:
    r"""Peak signal-to-noise ratio, ``-10 log10(mean((a - b)^2))`` in decibels, capped at 140 dB.

    Args:
        picture: ``(N, C, H, W)`` with values in 0..1.
        reconstruction: the same shape; no rounding to 8 bits is wanted, it would hide everything above 59 dB.

    Returns:
        ``(N,)``; NaN where the reconstruction holds NaN.

    Raises:
        ShapeError: the shapes differ.

    Cost: one pass.

    Example:
        >>> import torch
        >>> a = torch.zeros(1, 3, 8, 8)
        >>> psnr(a, a + 0.1).round().tolist()
        [20.0]
    """
    _same_pictures(picture, reconstruction)
    error = (picture.double() - reconstruction.double()).square().flatten(1).mean(1)
    return -10 * error.clamp_min(_SMALLEST_ERROR).log10()


def ssim(picture: Tensor, reconstruction: Tensor) -> Tensor:
    r"""Structural similarity, mean over channels and over all places where the window fits.

    ``(2 m_a m_b + c1)(2 s_ab + c2) / ((m_a^2 + m_b^2 + c1)(s_a^2 + s_b^2 + c2))`` with a Gaussian window of
    11 x 11 pixels and deviation 1.5, ``c1 = 0.01^2``, ``c2 = 0.03^2``.

    Reference: Wang, Bovik, Sheikh, Simoncelli 2004 (https://doi.org/10.1109/TIP.2003.819861).

    Args:
        picture: ``(N, C, H, W)`` with values in 0..1, both sides at least 11 pixels.
        reconstruction: the same shape.

    Returns:
        ``(N,)`` in -1..1.

    Raises:
        ShapeError: the shapes differ or a side is shorter than the window.

    Cost: five separable 11-tap filters.

    Example:
        >>> import torch
        >>> a = torch.linspace(0, 1, 3 * 16 * 16).view(1, 3, 16, 16)
        >>> ssim(a, a).tolist()
        [1.0]
    """
    _same_pictures(picture, reconstruction)
    if min(picture.shape[-2:]) < 11:
        raise ShapeError(f"SSIM needs pictures of at least 11 x 11 pixels; got {tuple(picture.shape)}")
    dtype = torch.promote_types(picture.dtype, torch.float32)
    a, b = picture.to(dtype), reconstruction.to(dtype)
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    variance_a = _window_mean(a * a) - mean_a**2
    variance_b = _window_mean(b * b) - mean_b**2
    covariance = _window_mean(a * b) - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + 1e-4) * (2 * covariance + 9e-4)
    size = (mean_a**2 + mean_b**2 + 1e-4) * (variance_a + variance_b + 9e-4)
    return (likeness / size).flatten(1).mean(1)


def pairwise_distance(pictures: Tensor) -> float | None:
    """Mean Euclidean distance between two different pictures of a set; None for fewer than two.

    Args:
        pictures: ``(N, C, H, W)``.

    Example:
        >>> import torch
        >>> pairwise_distance(torch.tensor([0.0, 3.0]).view(2, 1, 1, 1))
        3.0
    """
    if len(pictures) < 2:
        return None
    return float(functional.pdist(pictures.double().flatten(1)).mean())


def feature_error(features: Tensor, wanted: Tensor) -> Tensor:
    r"""Relative feature error ``|f(x') - y| / |y - mean(y)|`` per sample, the mean taken per channel.

    A reconstruction whose features are constant over the picture scores about 1. Where a channel has one
    position only, as after global pooling, the mean over the channels is taken instead.

    Args:
        features: ``(N, C, ...)``, the features of the reconstruction.
        wanted: the same shape, the features that were inverted.

    Returns:
        ``(N,)``.

    Raises:
        ShapeError: the shapes differ.

    Cost: one pass.

    Example:
        >>> import torch
        >>> y = torch.tensor([[[1.0, 3.0]]])
        >>> feature_error(torch.full_like(y, 2.0), y).tolist()
        [1.0]
    """
    if features.shape != wanted.shape:
        raise ShapeError(f"features have shape {tuple(features.shape)}; wanted {tuple(wanted.shape)}")
    y = wanted.double().flatten(2) if wanted.dim() > 2 else wanted.double()[:, None]
    if y.shape[-1] == 1:
        y = y.transpose(1, 2)
    size = torch.linalg.vector_norm((y - y.mean(-1, keepdim=True)).flatten(1), dim=1)
    error = torch.linalg.vector_norm((features.double() - wanted.double()).flatten(1), dim=1)
    return error / size.clamp_min(torch.finfo(torch.float32).tiny)


def _same_pictures(picture: Tensor, reconstruction: Tensor) -> None:
    if picture.dim() != 4 or picture.shape != reconstruction.shape:
        raise ShapeError(
            f"wanted two batches of pictures (N, C, H, W) of one shape; got {tuple(picture.shape)} and"
            f" {tuple(reconstruction.shape)}"
        )


def _window_mean(x: Tensor) -> Tensor:
    """Gaussian mean where the window fits, ``(N, C, H, W) -> (N, C, H - 10, W - 10)``."""
    taps = [math.exp(-(offset**2) / (2 * 1.5**2)) for offset in range(-5, 6)]
    window = torch.tensor(taps, dtype=x.dtype, device=x.device)
    window = window / window.sum()
    channels = x.shape[1]
    rows = functional.conv2d(x, window.view(1, 1, 11, 1).expand(channels, 1, 11, 1), groups=channels)
    return functional.conv2d(rows, window.view(1, 1, 1, 11).expand(channels, 1, 1, 11), groups=channels)
