"""Transposed convolution: the adjoint of a convolution, used as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor

from preimage.errors import ShapeError
from preimage.inverse.linear.base import LinearMap, Shape
from preimage.inverse.linear.convolution import Convolution, padding_pairs, per_dimension


@final
class TransposedConvolution(LinearMap):
    """z = C' x, where C is the convolution with the same weight, stride, padding, dilation and groups.

    It spreads each input sample over its kernel window. It is the adjoint of C, not its inverse.

    Reference: Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285.

    Args:
        weight: ``(C_in, C_out / groups, *kernel)`` as in ``torch.nn.ConvTranspose2d``; kept by reference.
        in_shape: ``(C_in, *size)``.
        stride, padding, dilation, groups: as for Convolution.
        output_padding: extra samples at the far end, below the stride.

    Raises:
        ShapeError: when the shapes do not fit.

    Example:
        >>> import torch
        >>> spread = TransposedConvolution(torch.ones(1, 1, 2), (1, 2), stride=2)
        >>> spread.apply(torch.tensor([[[1.0, 5.0]]]))
        tensor([[[1., 1., 5., 5.]]])
    """

    def __init__(
        self,
        weight: Tensor,
        in_shape: Shape,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int | Sequence[int]] = 0,
        *,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        output_padding: int | Sequence[int] = 0,
    ) -> None:
        n = weight.dim() - 2
        strides, pads = per_dimension(stride, n), padding_pairs(padding, n)
        extra = per_dimension(output_padding, n)
        spans = [d * (k - 1) + 1 for d, k in zip(per_dimension(dilation, n), weight.shape[2:], strict=True)]
        size = tuple(
            (in_shape[i + 1] - 1) * strides[i] - sum(pads[i]) + spans[i] + extra[i] for i in range(n)
        )
        whole = (weight.shape[1] * groups, *size)
        self.weight = weight
        self.convolution = Convolution(weight, whole, strides, pads, dilation=dilation, groups=groups)
        if self.convolution.out_shape != tuple(in_shape):
            raise ShapeError(
                f"no transposed convolution with weight {tuple(weight.shape)}, stride {strides} and"
                f" output_padding {extra} takes {tuple(in_shape)}; keep output_padding below the stride"
            )

    @property
    def in_shape(self) -> Shape:
        """``(C_in, *size)``."""
        return self.convolution.out_shape

    @property
    def out_shape(self) -> Shape:
        """``(C_out, *size)``."""
        return self.convolution.in_shape

    def tensors(self) -> tuple[Tensor, ...]:
        """The weight."""
        return (self.weight,)

    def _apply(self, x: Tensor) -> Tensor:
        return self.convolution.adjoint(x)

    def _adjoint(self, v: Tensor) -> Tensor:
        return self.convolution.apply(v)
