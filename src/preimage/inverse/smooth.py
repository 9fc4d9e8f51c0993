"""What any picture or recording has in common, without having seen one: neighbours resemble each other."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.inverse.calibrate.metric import Spectrum

POWER = 0.5
"""Spread of a frequency f is f^-POWER: flatter than in pictures, so that few steps reach fine detail too."""

SPREAD = 0.5
"""Root mean square of what is looked for; inputs are usually scaled to about one."""

TEXTURE = 0.1
"""Share of the spread that the starting pattern has."""


def is_spatial(shape: tuple[int, ...]) -> bool:
    """Whether an event has channels and one or two spatial axes of some length."""
    return len(shape) in (2, 3) and max(shape[1:]) >= 8


def smooth_metric(shape: tuple[int, ...], like: Tensor) -> Spectrum:
    """A stationary covariance for inputs with spatial axes: spread f^(-1/2) at frequency f.

    Args:
        shape: event shape ``(C, L)`` or ``(C, H, W)``.
        like: decides dtype and device.
    """
    channels, high, wide = (*shape, 1)[:3]
    i, j = torch.arange(high) / high, torch.arange(wide) / wide
    lowest = 0.5 / max(high, wide)
    frequency = (i[:, None] ** 2 + j[None, :] ** 2).sqrt().clamp_min(lowest)  # (H, W)
    gain = frequency**-POWER
    gain = gain * (SPREAD / gain.square().mean().sqrt())
    rotation = torch.eye(channels)
    return Spectrum(shape, rotation, gain.expand(channels, high, wide).clone()).to(like)


def textured_start(mean: Tensor, metric: Spectrum) -> Tensor:
    """The mean with a faint fixed pattern, so that no layer sees a perfectly flat input.

    Args:
        mean: ``(N, *event)``.
        metric: gives the pattern its spectrum.
    """
    texture = metric.texture(mean)
    return mean + TEXTURE * SPREAD * texture / texture.std().clamp_min(1e-12)
