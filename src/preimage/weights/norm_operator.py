"""What a layer does to vectors: the linear map whose norm is meant."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


class NormOperator(abc.ABC):
    """A linear map that depends linearly on a weight."""

    @abc.abstractmethod
    def apply(self, weight: Tensor, v: Tensor) -> Tensor:
        """The image of a vector, of any shape."""

    @abc.abstractmethod
    def start(self, weight: Tensor) -> Tensor:
        """A vector close to the first right singular vector, of the shape that ``apply`` takes."""

    def adjoint(self, weight: Tensor, u: Tensor, like: Tensor) -> Tensor:
        """The transposed map, as the derivative of the inner product of u with the image."""
        pull = torch.func.vjp(lambda v: self.apply(weight, v), torch.zeros_like(like))[1]
        return pull(u)[0]


class MatrixOperator(NormOperator):
    """A matrix times a vector."""

    def apply(self, weight: Tensor, v: Tensor) -> Tensor:
        """``(out, in)`` times ``(in,)``."""
        return weight @ v

    def adjoint(self, weight: Tensor, u: Tensor, like: Tensor) -> Tensor:
        """``(in, out)`` times ``(out,)``."""
        return weight.T @ u

    def start(self, weight: Tensor) -> Tensor:
        """The first right singular vector itself."""
        return torch.linalg.svd(weight.detach(), full_matrices=False).Vh[0].contiguous()


class ConvolutionOperator(NormOperator):
    """A convolution of a signal or picture of given size, with its stride, padding and groups.

    Args:
        module: the convolution; only its settings are read.
        size: the sizes of space, ``(T,)``, ``(H, W)`` or ``(D, H, W)``.
    """

    def __init__(self, module: _ConvNd, size: Sequence[int]) -> None:
        self.size, self.channels = tuple(size), module.in_channels
        self.convolution = _CONVOLUTIONS[len(self.size)]
        self.settings = (module.stride, module.padding, module.dilation, module.groups)
        mode = module.padding_mode
        self.mode = "constant" if mode == "zeros" else mode
        self.pad = list(module._reversed_padding_repeated_twice)

    def apply(self, weight: Tensor, v: Tensor) -> Tensor:
        """The convolution of one signal or picture ``(1, C, *size)``, without bias."""
        stride, padding, dilation, groups = self.settings
        if self.mode != "constant":
            v, padding = functional.pad(v, self.pad, mode=self.mode), 0
        return self.convolution(v, weight, None, stride, padding, dilation, groups)  # pyright: ignore[reportCallIssue, reportArgumentType]

    def start(self, weight: Tensor) -> Tensor:
        """A picture in which every frequency occurs, after 200 power iterations."""
        count = torch.arange(self.channels * torch.Size(self.size).numel(), device=weight.device)
        v = (count * count * 0.7).cos().to(weight.dtype).reshape(1, self.channels, *self.size)
        for _ in range(200):
            _, v = iterate(self, weight.detach(), v)
        return v


def iterate(operator: NormOperator, weight: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """One step of power iteration: the next left and right singular vector, of length 1."""
    u = _unit(operator.apply(weight, v))
    return u, _unit(operator.adjoint(weight, u, v))


def _unit(v: Tensor) -> Tensor:
    return v / torch.linalg.vector_norm(v).clamp_min(torch.finfo(v.dtype).tiny)


def norm_operator(module: nn.Module, size: Sequence[int] | None) -> NormOperator:
    """The linear map of a layer.

    Args:
        module: a linear layer or a convolution, not a transposed one.
        size: for convolutions, the sizes of space.

    Raises:
        TypeError: another kind of layer.
        ValueError: a convolution without size, or with one of the wrong length.
    """
    if isinstance(module, nn.Linear):
        return MatrixOperator()
    if not isinstance(module, _ConvNd) or isinstance(module, _ConvTransposeNd):
        name = type(module).__name__
        raise TypeError(f"spectral norm: got {name}, wanted a linear layer or a convolution")
    if size is None or len(size) != len(module.kernel_size):
        raise ValueError(
            f"spectral norm: size is {size}, wanted the {len(module.kernel_size)} sizes of space of what this"
            f" {type(module).__name__} will get, because its norm depends on them; write size=(32, 32)"
        )
    return ConvolutionOperator(module, size)


def operator_norm(module: nn.Module, size: Sequence[int] | None = None) -> Tensor:
    r"""Largest factor by which a layer stretches a vector, :math:`\max_v \|f(v)\|/\|v\|`, without its bias.

    For a convolution this is the norm of the whole map on pictures of the given size, not that of its kernel
    written as a matrix, which may be smaller by the root of the number of taps.

    Reference: Gouk, Frank, Pfahringer, Cree (2021), Regularisation of neural networks by enforcing Lipschitz
    continuity, https://arxiv.org/abs/1804.04368

    Args:
        module: a linear layer or a convolution, not a transposed one.
        size: for convolutions, the sizes of space, such as ``(32, 32)``.

    Returns:
        A number as a tensor ``()``. Exact for linear layers; a lower bound after 200 power iterations,
        usually right to four digits or more, for convolutions.

    Raises:
        TypeError: another kind of layer.
        ValueError: a convolution without size, or with one of the wrong length.

    Cost: one singular value decomposition, or 400 passes of one picture.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> _ = torch.nn.init.eye_(layer.weight)
        >>> operator_norm(layer)
        tensor(1.)
    """
    operator = norm_operator(module, size)
    weight = cast(Tensor, module.weight).detach()
    return torch.linalg.vector_norm(operator.apply(weight, operator.start(weight)))
