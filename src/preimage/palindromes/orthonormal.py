"""Weights that are orthonormal by construction: their transpose is their pseudo-inverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.errors import NotInvertibleError
from preimage.palindromes.mirror import DenseMirror, Mirror, without_bias
from preimage.palindromes.tie import Convolution, Tie


@final
class Orthonormal(Tie):
    r"""The weight of every layer is replaced by one with orthonormal rows or columns, :math:`W^+ = W^T`.

    The layer gets a parameter A of its own and uses W = Q of A = Q R (with positive diagonal of R), or its
    transpose where it contracts. It starts at the orthonormal matrix next to the given weight; that layer is
    not changed. Nothing is magnified on the way back.

    Reference: Absil, Mahony, Sepulchre (2008), Optimization algorithms on matrix manifolds, section 4.1.1,
    https://press.princeton.edu/absil

    Cost: one QR decomposition a layer and call.

    Example:
        >>> mirror = Orthonormal().dense(nn.Linear(5, 3))
        >>> torch.allclose(mirror.weight @ mirror.weight.mT, torch.eye(3), atol=1e-5)
        True
    """

    def dense(self, linear: nn.Linear) -> DenseMirror:
        """With a parameter of its own."""
        return OrthonormalDense(linear)

    def convolution(self, convolution: Convolution, input_shape: Sequence[int]) -> Mirror:
        """For windows that do not overlap, where the adjoint is the pseudo-inverse."""
        return OrthonormalConvolution(convolution, input_shape)


class OrthonormalRows(nn.Module):
    """A matrix ``(out, in)`` with orthonormal rows, or columns where there are more rows than columns.

    Args:
        matrix: where it starts: the nearest orthonormal matrix is taken.

    Example:
        >>> rows = OrthonormalRows(torch.tensor([[3.0, 4.0]]))
        >>> rows().tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        u, _, v = torch.linalg.svd(matrix.detach(), full_matrices=False)
        self.raw = nn.Parameter(u @ v)  # (out, in), the polar factor

    def forward(self) -> Tensor:
        """Q of the QR decomposition, with the signs that make it depend smoothly on A."""
        contracts = self.raw.shape[0] <= self.raw.shape[1]
        q, r = torch.linalg.qr(self.raw.mT if contracts else self.raw)
        q = q * torch.where(r.diagonal() < 0, -1.0, 1.0).to(q)
        return q.mT if contracts else q


@final
class OrthonormalDense(DenseMirror):
    """A dense layer with an orthonormal weight.

    Args:
        linear: where it starts; the bias is shared, the weight is not.

    Example:
        >>> mirror = OrthonormalDense(nn.Linear(2, 4))
        >>> torch.allclose(mirror.mirror(mirror(torch.ones(1, 2))), torch.ones(1, 2), atol=1e-5)
        True
    """

    def __init__(self, linear: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.rows = OrthonormalRows(linear.weight)
        self.shift = linear.bias

    @property
    def weight(self) -> Tensor:
        """W ``(out, in)``."""
        return self.rows()

    @property
    def bias(self) -> Tensor | None:
        """b ``(out,)``."""
        return self.shift

    def mirror_weight(self) -> Tensor:
        """W^T."""
        return self.weight.mT


@final
class OrthonormalConvolution(Mirror):
    """A convolution with touching windows, such as kernel 2 and stride 2, and an orthonormal kernel.

    Args:
        convolution: where it starts; the bias is shared, the weight is not.
        input_shape: event shape of its input ``(C, ...)``, multiples of the stride.

    Raises:
        NotInvertibleError: the windows overlap or leave gaps, the input is padded, grouped or dilated, or its
            sizes are no multiples of the stride.

    Example:
        >>> mirror = OrthonormalConvolution(nn.Conv2d(1, 4, 2, stride=2), (1, 4, 4))
        >>> x = torch.randn(2, 1, 4, 4)
        >>> torch.allclose(mirror.mirror(mirror(x)), x, atol=1e-5)
        True
    """

    def __init__(self, convolution: Convolution, input_shape: Sequence[int]) -> None:
        super().__init__()
        _refuse_overlap(convolution, input_shape)
        self.rows = OrthonormalRows(convolution.weight.flatten(1))
        self.shift = convolution.bias
        self.window = tuple(convolution.weight.shape[2:])

    def forward(self, x: Tensor) -> Tensor:
        """The convolution with the orthonormal kernel."""
        run = (functional.conv1d, functional.conv2d, functional.conv3d)[x.dim() - 3]
        return run(x, self._kernel(), self.shift, stride=self.window)

    def mirror(self, y: Tensor) -> Tensor:
        """A^T (y - b)."""
        spread = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
        return spread[y.dim() - 3](without_bias(self.shift, y), self._kernel(), stride=self.window)

    def _kernel(self) -> Tensor:
        weight = self.rows()  # (out, in * window)
        return weight.view(len(weight), -1, *self.window)

    def gram(self) -> Tensor:
        """The product of the kernel's rows, or columns."""
        weight = self.rows()
        return weight @ weight.mT if weight.shape[0] <= weight.shape[1] else weight.mT @ weight


def _refuse_overlap(convolution: Convolution, input_shape: Sequence[int]) -> None:
    padded = convolution.padding not in ("valid", 0) and any(convolution.padding)
    simple = convolution.groups == 1 and all(d == 1 for d in convolution.dilation) and not padded
    sizes = zip(input_shape[1:], convolution.stride, strict=True)
    if not simple or convolution.kernel_size != convolution.stride or any(n % s for n, s in sizes):
        raise NotInvertibleError(
            f"Orthonormal: {convolution} on inputs {tuple(input_shape)} has overlapping, padded or incomplete"
            " windows; wanted a kernel as large as its stride that divides the input, or tie=PseudoInverse()"
        )
