"""Linear layers and convolutions whose norm is held below a bound."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.layers.residual.lipschitz_network import capped
from preimage.layers.residual.operator_norms import OperatorNorms

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_MODULES = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class BoundedLayer(nn.Module, abc.ABC):
    """An affine map with a weight that is scaled down where its norm is too large."""

    @abc.abstractmethod
    def norm(self, norms: OperatorNorms, index: int, layers: int) -> Tensor:
        """An upper bound of the norm of the raw weight ``()``."""

    @abc.abstractmethod
    def prepare(self, scale: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """The map with its weight scaled."""

    def bounded(
        self, norms: OperatorNorms, index: int, layers: int, bound: float
    ) -> Callable[[Tensor], Tensor]:
        """The map, with a norm of at most ``bound``, for many uses at the same parameters."""
        norm = self.norm(norms, index, layers)
        return self.prepare(lambda weight: capped(weight, norm, bound))


class BoundedLinear(BoundedLayer):
    """A linear layer for vectors.

    Args:
        inputs: number of inputs.
        outputs: number of outputs.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.raw = nn.Linear(inputs, outputs)

    def norm(self, norms: OperatorNorms, index: int, layers: int) -> Tensor:
        """The norm of the matrix."""
        return norms.matrix(self.raw.weight, index, layers)

    def prepare(self, scale: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """A function of ``(N, inputs)``."""
        weight = scale(self.raw.weight)
        return lambda x: functional.linear(x, weight, self.raw.bias)


class BoundedConvolution(BoundedLayer):
    """A convolution that keeps the size of signals and pictures, zeros beyond the border.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        kernel_size: odd, in every dimension.
        dims: number of dimensions of space, 1 to 3.
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int = 3, dims: int = 2) -> None:
        super().__init__()
        if dims not in _CONVOLUTIONS or kernel_size % 2 == 0:
            raise ValueError(
                f"BoundedConvolution: got dims={dims} and kernel_size={kernel_size}, wanted 1, 2 or 3"
                " dimensions and an odd kernel"
            )
        self.dims, self.padding = dims, kernel_size // 2
        self.raw = _MODULES[dims](inputs, outputs, kernel_size)

    def norm(self, norms: OperatorNorms, index: int, layers: int) -> Tensor:
        """The norm on pictures of every size."""
        return norms.convolution(cast(Tensor, self.raw.weight), index, layers)

    def prepare(self, scale: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """A function of ``(N, inputs, ...)``."""
        weight, bias = scale(cast(Tensor, self.raw.weight)), self.raw.bias
        convolution = cast("Callable[..., Tensor]", _CONVOLUTIONS[self.dims])
        return lambda x: convolution(x, weight, bias, padding=self.padding)


class DenseWeights(nn.Module):
    r"""Two positive weights a and b with :math:`a^2 + b^2 = 1`, learnt, equal at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.zeros(2))

    def forward(self) -> tuple[Tensor, Tensor]:
        """a and b, each ``()``."""
        positive = functional.softplus(self.raw)
        unit = positive / torch.linalg.vector_norm(positive)
        return unit[0], unit[1]
