"""The discrete cosine transform."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.functional.signals.real_fft import inverse_real_fft, real_fft

DENSE = 256
"""Sizes up to this one go through a matrix product, larger ones through the Fourier transform."""


def cosine_matrix(size: int) -> Tensor:
    r"""The orthonormal matrix of the cosine transform (type II), in float64.

    .. math:: D_{k j} = \sqrt{(2 - \delta_{k 0}) / n}\, \cos\frac{\pi k (2 j + 1)}{2 n}

    Reference: Ahmed, Natarajan, Rao (1974), Discrete cosine transform, https://doi.org/10.1109/T-C.1974.223784

    Args:
        size: n, at least 1.

    Returns:
        D ``(n, n)``, frequencies in rows.

    Example:
        >>> cosine_matrix(2)
        tensor([[ 0.7071,  0.7071],
                [ 0.7071, -0.7071]], dtype=torch.float64)
    """
    numbers = torch.arange(size)
    quarters = (numbers[:, None] * (2 * numbers + 1)) % (4 * size)  # whole numbers: not rounded
    waves = (quarters.double() * (math.pi / (2 * size))).cos() * math.sqrt(2 / size)
    return torch.where(numbers[:, None] == 0, math.sqrt(1 / size), waves)


def cosine_transform(x: Tensor) -> Tensor:
    """The orthonormal cosine transform (type II) along the last dimension.

    Reference: Makhoul (1980), A fast cosine transform in one and two dimensions,
    https://doi.org/10.1109/TASSP.1980.1163351

    Args:
        x: tensor ``(..., n)``.

    Returns:
        Tensor ``(..., n)``, the mean first.

    Cost: O(n) a value up to :data:`DENSE`, O(log n) above.

    Example:
        >>> cosine_transform(torch.ones(4))
        tensor([2., 0., 0., 0.])
    """
    size = x.shape[-1]
    if size <= DENSE:
        return x @ cosine_matrix(size).mT.to(x)
    order = _even_then_odd(size, x)
    spectrum = real_fft(x.index_select(-1, order), 1)  # (..., n // 2 + 1, 2)
    real, imaginary = spectrum.unbind(-1)
    cosine, sine, scale = _quarter_turns(size, x)
    low = real * cosine + imaginary * sine
    high = real * sine - imaginary * cosine  # the frequency n - k
    return torch.cat([low, high[..., 1 : (size + 1) // 2].flip(-1)], dim=-1) * scale


def inverse_cosine_transform(y: Tensor) -> Tensor:
    """The tensor with this transform; undoes :func:`cosine_transform`, of which it is the transpose.

    Args:
        y: tensor ``(..., n)``.

    Returns:
        Tensor ``(..., n)``.

    Cost: that of :func:`cosine_transform`.

    Example:
        >>> x = torch.randn(3, 300)
        >>> torch.allclose(inverse_cosine_transform(cosine_transform(x)), x, atol=1e-5)
        True
    """
    size = y.shape[-1]
    if size <= DENSE:
        return y @ cosine_matrix(size).to(y)
    cosine, sine, scale = _quarter_turns(size, y)
    scaled = y / scale
    low = scaled[..., : size // 2 + 1]
    high = torch.cat([torch.zeros_like(y[..., :1]), scaled.flip(-1)[..., : size // 2]], dim=-1)
    spectrum = torch.stack([low * cosine + high * sine, low * sine - high * cosine], dim=-1)
    return inverse_real_fft(spectrum, 1, size).index_select(-1, _even_then_odd(size, y).argsort())


def _even_then_odd(size: int, like: Tensor) -> Tensor:
    """Even places forwards, then odd ones backwards."""
    places = torch.arange(size, device=like.device)
    return torch.cat([places[::2], places[1::2].flip(0)])


def _quarter_turns(size: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cosines and sines of pi k / 2 n for the half spectrum, and the scales of all frequencies."""
    angles = torch.arange(size // 2 + 1).double() * (math.pi / (2 * size))
    scale = torch.full((size,), math.sqrt(2 / size), dtype=torch.float64)
    scale[0] = math.sqrt(1 / size)
    return angles.cos().to(like), angles.sin().to(like), scale.to(like)
