"""The lowest frequencies alone: a sharp cut, and the few numbers that are left of a window."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.errors import ShapeError


def low_pass(x: Tensor, rate: float, cutoff: float = 0.5) -> Tensor:
    """Remove every frequency above a limit, by the Fourier transform over the last dimension.

    The limit itself is kept, in long recordings and in short windows alike, up to rounding of the
    frequencies. The map is a projection: applied twice it does nothing more, and it has no inverse and no
    density.

    Args:
        x: tensor ``(..., T)``.
        rate: samples a second, in hertz.
        cutoff: highest frequency that stays, in hertz, 0 or more; 0 keeps the mean.

    Returns:
        Tensor of the shape of x.

    Raises:
        ShapeError: x has no samples.
        ValueError: rate or cutoff is out of range.

    Cost: two Fourier transforms, O(numel(x) log T).

    Example:
        >>> time = torch.arange(128) / 64
        >>> slow, fast = torch.sin(torch.pi * time), torch.sin(2 * torch.pi * time)
        >>> torch.allclose(low_pass(slow + fast, rate=64.0), slow, atol=1e-5)
        True
    """
    kept = low_frequencies(x.shape[-1] if x.dim() else 0, rate, cutoff)
    spectrum = torch.fft.rfft(x, dim=-1)
    spectrum = torch.where(kept.to(x.device), spectrum, torch.zeros_like(spectrum))
    return torch.fft.irfft(spectrum, n=x.shape[-1], dim=-1)


def low_frequencies(times: int, rate: float, cutoff: float = 0.5) -> Tensor:
    """Which frequencies of a real Fourier transform are kept, bool ``(T // 2 + 1,)``."""
    if not 0 < rate < math.inf or not 0 <= cutoff < math.inf:
        raise ValueError(
            f"low_pass: rate is {rate} Hz, cutoff {cutoff} Hz, wanted a positive rate, cutoff 0 or more"
        )
    if times < 1:
        raise ShapeError("low_pass: x has no samples, wanted one or more in the last dimension")
    frequencies = torch.arange(times // 2 + 1, dtype=torch.float64) * rate / times
    return frequencies <= cutoff * (1 + 1e-9)


def fourier_features(x: Tensor, rate: float, cutoff: float = 0.5) -> Tensor:
    r"""What a low-pass leaves of a window, as coordinates: mean, real and imaginary parts.

    .. math:: z_0 = \frac{1}{\sqrt T}\sum_t x_t, \qquad
        z_{2k - 1} + i z_{2k} = \sqrt{\tfrac 2 T} \sum_t x_t\, e^{-2 \pi i k t / T}

    The basis is orthonormal: white noise stays white noise, and distances are those of the filtered signals.

    Args:
        x: windows ``(N, C, T)``.
        rate: samples a second, in hertz.
        cutoff: highest frequency that stays, in hertz.

    Returns:
        Tensor ``(N, C, D)``: D = 3 for windows of 2 s and 0.5 Hz, so 63 numbers for 21 electrodes.

    Raises:
        ShapeError: x is not ``(N, C, T)``.
        ValueError: rate or cutoff is out of range.

    Cost: O(N C T D).

    Example:
        >>> fourier_features(torch.ones(1, 1, 128), rate=64.0).round(decimals=4).abs()
        tensor([[[11.3137,  0.0000,  0.0000]]])
    """
    if x.dim() != 3:
        raise ShapeError(f"fourier_features: x has shape {tuple(x.shape)}, wanted windows (N, C, T)")
    return x @ _basis(x.shape[2], rate, cutoff).to(x)


def _basis(times: int, rate: float, cutoff: float) -> Tensor:
    """Orthonormal cosines and minus sines up to a frequency, as columns ``(T, D)``."""
    count = int(low_frequencies(times, rate, cutoff).sum())
    phase = 2 * math.pi * torch.arange(times, dtype=torch.float64) / times
    columns = [torch.full((times,), 1 / math.sqrt(times), dtype=torch.float64)]
    for k in range(1, count):
        nyquist = 2 * k == times
        size = math.sqrt((1 if nyquist else 2) / times)
        columns += [size * torch.cos(k * phase)] + ([] if nyquist else [-size * torch.sin(k * phase)])
    return torch.stack(columns, dim=1)


def low_signals(features: Tensor, times: int, rate: float, cutoff: float = 0.5) -> Tensor:
    """The windows ``(N, C, T)`` of Fourier features ``(N, C, D)``, without frequencies above the limit.

    Args:
        features: what :func:`fourier_features` gave.
        times: samples T of a window.
        rate: samples a second, in hertz.
        cutoff: highest frequency that stayed, in hertz.

    Returns:
        Tensor ``(N, C, T)``.

    Raises:
        ShapeError: the number of features is another one.

    Cost: O(N C T D).

    Example:
        >>> x = torch.randn(2, 3, 128)
        >>> again = low_signals(fourier_features(x, 64.0), 128, 64.0)
        >>> torch.allclose(again, low_pass(x, 64.0), atol=1e-5)
        True
    """
    basis = _basis(times, rate, cutoff)  # (T, D)
    if features.dim() != 3 or features.shape[2] != basis.shape[1]:
        raise ShapeError(
            f"low_signals: features have shape {tuple(features.shape)}, wanted (N, C, {basis.shape[1]})"
        )
    return features @ basis.mT.to(features)
