"""Fourier transforms of real tensors whose complex numbers are pairs of real ones.

Inside a compiled graph they are operators of their own: compilers that know no complex numbers take them as
they are.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def real_fft(x: Tensor, dims: int) -> Tensor:
    r"""Discrete Fourier transform over the last dimensions, the half that a real tensor needs.

    .. math:: X_f = \sum_p x_p \, e^{-2 \pi i \langle f, p / n \rangle}

    Args:
        x: real tensor ``(..., *sizes)`` with ``dims`` sizes.
        dims: number of dimensions to transform, at least 1.

    Returns:
        Tensor ``(..., *sizes[:-1], sizes[-1] // 2 + 1, 2)``: real and imaginary parts.

    Cost: O(numel(x) log numel(sizes)).

    Example:
        >>> real_fft(torch.tensor([1.0, 2.0, 3.0, 4.0]), 1)
        tensor([[10.,  0.],
                [-2.,  2.],
                [-2.,  0.]])
    """
    return _analyse(x, dims) if torch.compiler.is_compiling() else _eager_analysis(x, dims)


def inverse_real_fft(spectrum: Tensor, dims: int, last: int) -> Tensor:
    """The real tensor of a half spectrum; undoes :func:`real_fft`.

    Args:
        spectrum: real and imaginary parts ``(..., *sizes[:-1], last // 2 + 1, 2)``.
        dims: number of dimensions to transform.
        last: size of the last dimension of the result; even and odd sizes have equal half spectra.

    Returns:
        Tensor ``(..., *sizes)``.

    Cost: that of :func:`real_fft`.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 4.0])
        >>> torch.allclose(inverse_real_fft(real_fft(x, 1), 1, 3), x)
        True
    """
    if torch.compiler.is_compiling():
        return _synthesise(spectrum, dims, last)
    return _eager_synthesis(spectrum, dims, last)


def half_spectrum_weights(last: int, like: Tensor) -> Tensor:
    """How many frequencies of the whole spectrum stand behind each of the half one, along the last dimension.

    Args:
        last: size n of the real dimension.
        like: a tensor of the wanted dtype and device.

    Returns:
        Tensor ``(n // 2 + 1,)`` of ones and twos, with sum n.

    Example:
        >>> half_spectrum_weights(4, torch.ones(1)), half_spectrum_weights(3, torch.ones(1))
        (tensor([1., 2., 1.]), tensor([1., 2.]))
    """
    places = torch.arange(last // 2 + 1, device=like.device)
    single = (places == 0) | (2 * places == last)
    return torch.where(single, 1.0, 2.0).to(like.dtype)


def _places(dims: int) -> list[int]:
    return list(range(-dims, 0))


def _eager_analysis(x: Tensor, dims: int) -> Tensor:
    if x.numel() == 0:  # some libraries of transforms refuse an empty batch
        return x.new_zeros(*x.shape[:-1], x.shape[-1] // 2 + 1, 2)
    return torch.view_as_real(torch.fft.rfftn(x, dim=_places(dims)))


def _eager_synthesis(spectrum: Tensor, dims: int, last: int) -> Tensor:
    if spectrum.numel() == 0:
        return spectrum.new_zeros(*spectrum.shape[:-2], last)
    values = torch.complex(spectrum[..., 0], spectrum[..., 1])
    sizes = [*values.shape[values.dim() - dims : -1], last]
    return torch.fft.irfftn(values, s=sizes, dim=_places(dims))


@torch.library.custom_op("preimage::real_fft", mutates_args=())
def _analyse(x: Tensor, dims: int) -> Tensor:
    return _eager_analysis(x, dims).contiguous()


@torch.library.custom_op("preimage::inverse_real_fft", mutates_args=())
def _synthesise(spectrum: Tensor, dims: int, last: int) -> Tensor:
    return _eager_synthesis(spectrum, dims, last).contiguous()


@_analyse.register_fake
def _(x: Tensor, dims: int) -> Tensor:
    return x.new_empty(*x.shape[:-1], x.shape[-1] // 2 + 1, 2)


@_synthesise.register_fake
def _(spectrum: Tensor, dims: int, last: int) -> Tensor:
    return spectrum.new_empty(*spectrum.shape[:-2], last)


def _in_front(tensor: Tensor, place: int | None) -> Tensor:
    return tensor if place is None else tensor.movedim(place, 0)


@_analyse.register_vmap
def _(info: Any, in_dims: Any, x: Tensor, dims: int) -> tuple[Tensor, int]:
    return _analyse(_in_front(x, in_dims[0]), dims), 0


@_synthesise.register_vmap
def _(info: Any, in_dims: Any, spectrum: Tensor, dims: int, last: int) -> tuple[Tensor, int]:
    return _synthesise(_in_front(spectrum, in_dims[0]), dims, last), 0


def _keep_analysis(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.dims, ctx.sizes = inputs[1], inputs[0].shape[inputs[0].dim() - inputs[1] :]


def _keep_synthesis(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.dims, ctx.sizes = inputs[1], output.shape[output.dim() - inputs[1] :]


def _analysis_gradient(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
    """The adjoint: the inverse transform, without its division and without its doubling."""
    last, count = ctx.sizes[-1], math.prod(ctx.sizes)
    weights = half_spectrum_weights(last, gradient)[:, None]
    return _synthesise(gradient / weights, ctx.dims, last) * count, None


def _synthesis_gradient(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
    last, count = ctx.sizes[-1], math.prod(ctx.sizes)
    weights = half_spectrum_weights(last, gradient)[:, None]
    return _analyse(gradient, ctx.dims) * weights / count, None, None


_analyse.register_autograd(_analysis_gradient, setup_context=_keep_analysis)
_synthesise.register_autograd(_synthesis_gradient, setup_context=_keep_synthesis)
