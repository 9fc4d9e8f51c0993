"""Circular convolutions, seen as one small matrix for every frequency."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from preimage.functional.signals.convolve import reach_before
from preimage.functional.signals.real_fft import half_spectrum_weights, inverse_real_fft, real_fft


def transfer_matrices(weight: Tensor, sizes: Sequence[int], dilation: Sequence[int], groups: int) -> Tensor:
    r"""What a circular convolution does to every frequency of the half spectrum.

    .. math:: H_f = \sum_\tau W_\tau \, e^{2 \pi i \langle f, \tau / n \rangle}

    A complex matrix :math:`A + i B` stands as the real one :math:`[A, -B; B, A]`, which has the same
    solutions and the squared absolute determinant.

    Reference: Karami, Schuurmans, Sohl-Dickstein, Dinh, Duckworth (2019), Invertible convolutional flow,
    https://proceedings.neurips.cc/paper/2019/hash/b1f62fa99de9f27a048344d55c5ef7a6-Abstract.html

    Args:
        weight: kernel ``(C, c, *kernel_sizes)`` with c = C / groups.
        sizes: sizes n of the picture, any numbers.
        dilation: distance between the taps, one number a dimension.
        groups: number G of groups of channels.

    Returns:
        Tensor ``(F, G, 2 c, 2 c)`` with F the number of frequencies.

    Cost: O(F C c) times the taps along a dimension.

    Example:
        >>> transfer_matrices(torch.ones(1, 1, 2), (2,), (1,), 1)[:, 0].round().abs()
        tensor([[[2., 0.],
                 [0., 2.]],
        <BLANKLINE>
                [[0., 0.],
                 [0., 0.]]])
    """
    taps = weight.unflatten(0, (groups, -1))  # (G, c, c, *kernel_sizes)
    real, imaginary = taps, torch.zeros_like(taps)
    shifts = reach_before(weight.shape[2:], dilation)
    halves = [*sizes[:-1], sizes[-1] // 2 + 1]
    for count, size, step, shift in zip(halves, sizes, dilation, shifts, strict=True):
        places = torch.arange(real.shape[3]) * step - shift
        turns = (torch.arange(count)[:, None] * places) % size  # whole numbers: nothing is rounded yet
        angles = turns.double() * (2 * math.pi / size)  # (count, taps)
        real, imaginary = _contract(real, imaginary, angles)
    real, imaginary = real.flatten(3).movedim(-1, 0), imaginary.flatten(3).movedim(-1, 0)  # (F, G, c, c)
    top = torch.cat([real, -imaginary], dim=-1)
    return torch.cat([top, torch.cat([imaginary, real], dim=-1)], dim=-2)


def _contract(real: Tensor, imaginary: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
    """Exchange the first dimension of the taps for one of frequencies, put last."""
    cosine, sine = angles.cos().to(real), angles.sin().to(real)
    pick = lambda part, wave: part.movedim(3, -1) @ wave.mT  # noqa: E731
    return (
        pick(real, cosine) - pick(imaginary, sine),
        pick(real, sine) + pick(imaginary, cosine),
    )


def to_frequencies(x: Tensor, groups: int) -> Tensor:
    """The spectrum of x as columns for :func:`transfer_matrices`.

    Args:
        x: tensor ``(N, C, *sizes)``.
        groups: number G of groups of channels.

    Returns:
        Tensor ``(F, G, 2 c, N)``: real parts of the c channels of a group, then imaginary parts.

    Cost: a Fourier transform.

    Example:
        >>> to_frequencies(torch.tensor([[[1.0, 2.0]]]), 1)[:, 0, :, 0]
        tensor([[ 3.,  0.],
                [-1.,  0.]])
    """
    spectrum = real_fft(x, x.dim() - 2)  # (N, C, *half, 2)
    pairs = spectrum.flatten(2, -2).unflatten(1, (groups, -1))  # (N, G, c, F, 2)
    return pairs.permute(3, 1, 4, 2, 0).flatten(2, 3)


def from_frequencies(columns: Tensor, sizes: Sequence[int]) -> Tensor:
    """The tensor with this spectrum; undoes :func:`to_frequencies`.

    Args:
        columns: tensor ``(F, G, 2 c, N)``.
        sizes: sizes of the result.

    Returns:
        Tensor ``(N, C, *sizes)``.

    Cost: a Fourier transform.

    Example:
        >>> x = torch.ones(2, 4, 3, 5)
        >>> torch.allclose(from_frequencies(to_frequencies(x, 2), (3, 5)), x)
        True
    """
    pairs = columns.unflatten(2, (2, -1)).permute(4, 1, 3, 0, 2)  # (N, G, c, F, 2)
    spectrum = pairs.flatten(1, 2).unflatten(2, (*sizes[:-1], sizes[-1] // 2 + 1))
    return inverse_real_fft(spectrum, len(sizes), sizes[-1])


def frequency_weights(sizes: Sequence[int], like: Tensor) -> Tensor:
    """How often each frequency of the half spectrum counts in the whole one, ``(F,)``.

    Example:
        >>> frequency_weights((2, 3), torch.ones(1))
        tensor([1., 2., 1., 2.])
    """
    return half_spectrum_weights(sizes[-1], like).repeat(math.prod(sizes[:-1]))
