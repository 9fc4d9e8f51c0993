"""How a decoder errs, frequency by frequency, in a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.inverse.calibrate.metric import Spectrum


def profile(spectrum: Spectrum) -> Tensor:
    """The gains ``(C, n)`` along the diagonal of a spectrum that depends on the distance to its corner alone.

    Place i of n is the frequency ``sqrt(2) i / n``; n is the shorter side.
    """
    _, height, width = spectrum.gain.shape
    n = min(height, width)
    i = torch.arange(n, device=spectrum.gain.device)
    return spectrum.gain[:, i * height // n, i * width // n]


def spectrum(input_shape: Sequence[int], rotation: Tensor, gains: Tensor) -> Spectrum:
    """The spectrum with a given profile.

    Args:
        input_shape: ``(C, H, W)``.
        rotation: of the channels, ``(C, C)``.
        gains: the profile, ``(C, n)``.

    Example:
        >>> errors = torch.randn(64, 1, 16, 16, generator=torch.Generator().manual_seed(0)).cumsum(3)
        >>> full = Spectrum.of_errors(errors)
        >>> again = spectrum((1, 16, 16), full.rotation, profile(full))
        >>> bool(((again.gain / full.gain).log().abs() < 0.7).all())
        True
    """
    _, height, width = input_shape
    rows, columns = (torch.arange(n, dtype=gains.dtype, device=gains.device) / n for n in (height, width))
    place = (rows[:, None] ** 2 + columns**2).sqrt() * (gains.shape[1] / math.sqrt(2))  # (H, W)
    low = place.floor().long().clamp_max(gains.shape[1] - 1)
    high, part = (low + 1).clamp_max(gains.shape[1] - 1), place - low
    levels = gains.log()
    return Spectrum(input_shape, rotation, (levels[:, low] * (1 - part) + levels[:, high] * part).exp())
