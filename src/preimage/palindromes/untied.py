"""A second half with weights of its own, which start as the pseudo-inverse of the first half's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from preimage.layers import PseudoInverseLinear
from preimage.palindromes.mirror import DenseMirror, Mirror, without_bias
from preimage.palindromes.tie import Convolution, Tie
from preimage.palindromes.transpose import adjoint


@final
class Untied(Tie):
    r"""The mirror of :math:`y = W x + b` is :math:`x = V (y - b)` with V free, starting at :math:`W^+`.

    The bias is shared. V may leave W^+ in training: the better autoencoder, and no inverse any more. The Gram
    monitor and :func:`~preimage.palindromes.gram_penalty` say how far, and hold it back.

    Reference: Hinton, Salakhutdinov (2006), Reducing the dimensionality of data with neural networks,
    https://doi.org/10.1126/science.1127647

    Cost: as much as the layer, and a second set of weights.

    Example:
        >>> mirror = Untied().dense(nn.Linear(5, 3))
        >>> torch.allclose(mirror.gram(), torch.eye(3), atol=1e-5)
        True
    """

    def dense(self, linear: nn.Linear) -> DenseMirror:
        """A free matrix."""
        return UntiedDense(linear)

    def convolution(self, convolution: Convolution, input_shape: Sequence[int]) -> Mirror:
        """The adjoint of a second kernel."""
        return UntiedConvolution(convolution, input_shape)


@final
class UntiedDense(DenseMirror):
    """A dense layer opposite a dense layer.

    Args:
        linear: the layer, whose parameters are shared.

    Example:
        >>> sum(p.numel() for p in UntiedDense(nn.Linear(5, 3)).parameters())
        33
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        with torch.no_grad():
            self.back = nn.Parameter(PseudoInverseLinear.from_linear(linear).pseudo_inverse().clone())

    def mirror_weight(self) -> Tensor:
        """V."""
        return self.back


@final
class UntiedConvolution(Mirror):
    """A convolution opposite the adjoint of another, which starts as a multiple of the first.

    The multiple is the one for which f(g(y)) is nearest to y on random y.

    Args:
        convolution: the layer, whose parameters are shared.
        input_shape: event shape of its input ``(C, ...)``.

    Example:
        >>> mirror = UntiedConvolution(nn.Conv1d(2, 3, 3, padding=1), (2, 8))
        >>> mirror.mirror(torch.zeros(1, 3, 8)).shape
        torch.Size([1, 2, 8])
    """

    def __init__(self, convolution: Convolution, input_shape: Sequence[int]) -> None:
        super().__init__()
        self.convolution = convolution
        self.opposite = _copy(convolution)
        self.input_shape = tuple(input_shape)
        self._start()

    def forward(self, x: Tensor) -> Tensor:
        """The convolution."""
        return self.convolution(x)

    def mirror(self, y: Tensor) -> Tensor:
        """The adjoint of the second kernel on y - b."""
        return adjoint(self.opposite, self.input_shape, without_bias(self.convolution.bias, y))

    @torch.no_grad()
    def _start(self) -> None:
        weight = self.opposite.weight
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(8, *self.input_shape, generator=generator).to(weight)
        y = torch.randn(self.opposite(x).shape, generator=generator).to(weight)
        again = self.opposite(adjoint(self.opposite, self.input_shape, y))  # A A^T y
        weight.mul_((again * y).sum() / again.square().sum())


def _copy(convolution: Convolution) -> Convolution:
    """A convolution of the same kind with the same kernel and no bias."""
    same = type(convolution)(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,  # pyright: ignore[reportArgumentType]
        convolution.stride,  # pyright: ignore[reportArgumentType]
        convolution.padding,  # pyright: ignore[reportArgumentType]
        convolution.dilation,  # pyright: ignore[reportArgumentType]
        convolution.groups,
        bias=False,
        padding_mode=convolution.padding_mode,
    )
    with torch.no_grad():
        same.to(convolution.weight).weight.copy_(convolution.weight)
    return same
