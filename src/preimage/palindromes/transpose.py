"""Tied weights: the second half applies the transposed weights of the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from preimage.inverse.solvers.pseudo_inverses.implicit import Transposed
from preimage.palindromes.mirror import DenseMirror, Mirror, without_bias
from preimage.palindromes.tie import Convolution, Tie


@final
class Transpose(Tie):
    r"""The mirror of :math:`y = W x + b` is :math:`x = W^T (y - b)`; of a convolution, its adjoint.

    An inverse only for orthonormal W. Training may bring W there; the Gram monitor shows whether it did.

    Reference: Vincent et al. (2010), Stacked denoising autoencoders, section 3,
    https://www.jmlr.org/papers/v11/vincent10a.html

    Cost: as much as the layer.

    Example:
        >>> mirror = Transpose().dense(nn.Linear(3, 3, bias=False))
        >>> _ = torch.nn.init.orthogonal_(mirror.weight)
        >>> torch.allclose(mirror.mirror(mirror(torch.ones(1, 3))), torch.ones(1, 3), atol=1e-5)
        True
    """

    def dense(self, linear: nn.Linear) -> DenseMirror:
        """The transposed weight."""
        return TransposeDense(linear)

    def convolution(self, convolution: Convolution, input_shape: Sequence[int]) -> Mirror:
        """The adjoint, whatever stride, padding and groups."""
        return TransposeConvolution(convolution, input_shape)


@final
class TransposeDense(DenseMirror):
    """A dense layer and its transposed weight.

    Args:
        linear: the layer, whose parameters are shared.

    Example:
        >>> TransposeDense(nn.Linear(4, 2)).mirror_weight().shape
        torch.Size([4, 2])
    """

    def mirror_weight(self) -> Tensor:
        """W^T."""
        return self.weight.mT


@final
class TransposeConvolution(Mirror):
    """A convolution and its adjoint.

    Args:
        convolution: the layer, whose parameters are shared.
        input_shape: event shape of its input ``(C, ...)``.

    Example:
        >>> mirror = TransposeConvolution(nn.Conv1d(2, 3, 3, stride=2), (2, 8))
        >>> mirror.mirror(torch.zeros(1, 3, 3)).shape
        torch.Size([1, 2, 8])
    """

    def __init__(self, convolution: Convolution, input_shape: Sequence[int]) -> None:
        super().__init__()
        self.convolution = convolution
        self.input_shape = tuple(input_shape)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution."""
        return self.convolution(x)

    def mirror(self, y: Tensor) -> Tensor:
        """A^T (y - b)."""
        return adjoint(self.convolution, self.input_shape, without_bias(self.convolution.bias, y))


def adjoint(convolution: Convolution, input_shape: Sequence[int], y: Tensor) -> Tensor:
    """A^T y for the linear part A of a convolution, ``(N, out, ...)`` to ``(N, *input_shape)``."""
    x = Transposed(convolution, tuple(input_shape))(y)
    return x if torch.is_grad_enabled() else x.detach()
