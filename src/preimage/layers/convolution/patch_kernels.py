"""Invertible square kernels, one for every group of channels, that work on blocks of positions."""

from __future__ import annotations

import abc
import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.errors import NotInvertibleError, ShapeError
from preimage.functional.matrices.skew import (
    below_diagonal,
    cayley,
    fill_below_diagonal,
    inverse_cayley,
    logarithm_of_cayley,
    rotation_exponential,
    skew_matrix,
    triangle_size,
)
from preimage.functional.signals.cosine import cosine_matrix


class PatchKernels(nn.Module, abc.ABC):
    """A stack of invertible matrices ``(G, n, n)``, one a group of channels.

    Example:
        >>> kernels = CayleyKernels(2, 4)
        >>> kernels.matrices().shape
        torch.Size([2, 4, 4])
    """

    @abc.abstractmethod
    def matrices(self) -> Tensor:
        """The matrices ``(G, n, n)``, or ``(1, n, n)`` for one that all groups share."""

    @abc.abstractmethod
    def solve(self, columns: Tensor) -> Tensor:
        """The inverses applied to columns ``(N, G, n, P)``."""

    @abc.abstractmethod
    def log_abs_det(self) -> Tensor:
        """log abs det of every matrix, ``(G,)`` or ``(1,)``."""

    def multiply(self, columns: Tensor) -> Tensor:
        """The matrices applied to columns ``(N, G, n, P)``."""
        return self.matrices() @ columns


class OrthogonalKernels(PatchKernels, abc.ABC):
    r"""Orthogonal kernels :math:`R(A_g)\, D_g` with skew-symmetric :math:`A_g` and fixed signs.

    Args:
        groups: number G of kernels.
        size: number n of values that a kernel mixes. All start as the identity; :meth:`set_matrix` starts
            anywhere else.

    Example:
        >>> kernels = ExponentialKernels(2, 3)
        >>> kernels.set_matrix(torch.eye(3).flip(0))
        >>> kernels.matrices()[1].round().abs()
        tensor([[0., 0., 1.],
                [0., 1., 0.],
                [1., 0., 0.]], grad_fn=<AbsBackward0>)
    """

    signs: Tensor

    def __init__(self, groups: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.entries = nn.Parameter(torch.zeros(groups, triangle_size(size)))
        self.register_buffer("signs", torch.ones(groups, size))

    @torch.no_grad()
    def set_matrix(self, matrix: Tensor) -> None:
        """Start every kernel as this orthogonal matrix ``(n, n)``, such as a cosine transform.

        Raises:
            ShapeError: it has another shape.
            NotInvertibleError: it is not orthogonal.
        """
        wanted = (self.size, self.size)
        if matrix.shape != wanted:
            raise ShapeError(
                f"{type(self).__name__}: matrix has shape {tuple(matrix.shape)}, wanted {wanted}"
            )
        error = (matrix.mT @ matrix - torch.eye(self.size).to(matrix)).abs().max().item()
        if not error <= torch.finfo(matrix.dtype).eps ** 0.5:
            raise NotInvertibleError(
                f"{type(self).__name__}: the matrix is not orthogonal, W'W differs from the identity by"
                f" {error:.2e}; use TriangularKernels for other matrices"
            )
        skew, signs = inverse_cayley(matrix.double())
        self.entries.copy_(below_diagonal(self.parameter_of_cayley(skew)))
        self.signs.copy_(signs)

    @abc.abstractmethod
    def rotations(self, skew: Tensor) -> Tensor:
        """R(A) for a stack ``(G, n, n)``."""

    @abc.abstractmethod
    def parameter_of_cayley(self, skew: Tensor) -> Tensor:
        """The A ``(n, n)`` whose rotation is the Cayley map of the given matrix."""

    def matrices(self) -> Tensor:
        """Rotation times signs."""
        return self.rotations(skew_matrix(self.entries, self.size)) * self.signs[:, None]

    def solve(self, columns: Tensor) -> Tensor:
        """The transposes."""
        return self.matrices().mT @ columns

    def log_abs_det(self) -> Tensor:
        """Zeros."""
        return self.signs.new_zeros(self.signs.shape[0])


class CayleyKernels(OrthogonalKernels):
    r"""Orthogonal kernels by the Cayley transform, :math:`(I + A_g)^{-1} (I - A_g) D_g`.

    Reference: Etmann, Ke, Schönlieb (2020), iUNets: learnable invertible up- and downsampling,
    https://arxiv.org/abs/2005.05220; Helfrich, Willmott, Ye (2018), https://arxiv.org/abs/1707.09520

    Args:
        groups: number G of kernels.
        size: number n of values that a kernel mixes. All start as the identity.

    Cost: O(G n^3) a call, and n a value.

    Example:
        >>> w = CayleyKernels(3, 4).matrices()
        >>> torch.allclose(w.mT @ w, torch.eye(4))
        True
    """

    def rotations(self, skew: Tensor) -> Tensor:
        """The Cayley map."""
        return cayley(skew)

    def parameter_of_cayley(self, skew: Tensor) -> Tensor:
        """The same matrix."""
        return skew


class ExponentialKernels(OrthogonalKernels):
    r"""Orthogonal kernels by the matrix exponential, :math:`e^{A_g} D_g`.

    Reference: Etmann, Ke, Schönlieb (2020), iUNets: learnable invertible up- and downsampling,
    https://arxiv.org/abs/2005.05220; Lezcano-Casado, Martinez-Rubio (2019), https://arxiv.org/abs/1901.08428

    Args:
        groups: number G of kernels.
        size: number n of values that a kernel mixes. All start as the identity.

    Cost: O(G n^3) a call, some four times that of :class:`CayleyKernels`, and n a value.

    Example:
        >>> w = ExponentialKernels(3, 4).matrices()
        >>> torch.allclose(w.mT @ w, torch.eye(4))
        True
    """

    def rotations(self, skew: Tensor) -> Tensor:
        """The matrix exponential."""
        return rotation_exponential(skew)

    def parameter_of_cayley(self, skew: Tensor) -> Tensor:
        """The logarithm of the rotation."""
        return logarithm_of_cayley(skew)


class TriangularKernels(PatchKernels):
    r"""Kernels of any volume, :math:`L_g U_g`, with unit lower L and upper U of diagonal :math:`e^{a}`.

    Never singular; the inverse is two triangular solves.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.2, https://arxiv.org/abs/1807.03039

    Args:
        groups: number G of kernels.
        size: number n of values that a kernel mixes. All start as the identity.

    Cost: n a value, in either direction.

    Example:
        >>> TriangularKernels(3, 4).log_abs_det()
        tensor([0., 0., 0.], grad_fn=<SumBackward1>)
    """

    def __init__(self, groups: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.below = nn.Parameter(torch.zeros(groups, triangle_size(size)))
        self.above = nn.Parameter(torch.zeros(groups, triangle_size(size)))
        self.log_scale = nn.Parameter(torch.zeros(groups, size))

    def lower(self) -> Tensor:
        """L ``(G, n, n)``."""
        identity = torch.eye(self.size, dtype=self.below.dtype, device=self.below.device)
        return fill_below_diagonal(self.below, self.size) + identity

    def upper(self) -> Tensor:
        """U ``(G, n, n)``."""
        return fill_below_diagonal(self.above, self.size).mT + torch.diag_embed(self.log_scale.exp())

    def matrices(self) -> Tensor:
        """The products L U."""
        return self.lower() @ self.upper()

    def solve(self, columns: Tensor) -> Tensor:
        """Two triangular solves."""
        found = torch.linalg.solve_triangular(self.lower(), columns, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(self.upper(), found, upper=True)

    def log_abs_det(self) -> Tensor:
        """The sums of the log-scales."""
        return self.log_scale.sum(1)


class CosineKernels(PatchKernels):
    """The orthonormal cosine transform of a block, shared by all groups; nothing is trained.

    Reference: Ahmed, Natarajan, Rao (1974), Discrete cosine transform, https://doi.org/10.1109/T-C.1974.223784

    Args:
        factors: sizes of a block, one a dimension of space.

    Cost: n a value, in either direction.

    Example:
        >>> CosineKernels((1, 2)).matrices().shape
        torch.Size([1, 2, 2])
    """

    def __init__(self, factors: Sequence[int]) -> None:
        super().__init__()
        self.factors = tuple(factors)

    def matrices(self) -> Tensor:
        """The matrix ``(1, n, n)`` in float64."""
        return functools.reduce(torch.kron, map(cosine_matrix, self.factors))[None]

    def multiply(self, columns: Tensor) -> Tensor:
        """The matrix, in the precision of the columns."""
        return self.matrices().to(columns) @ columns

    def solve(self, columns: Tensor) -> Tensor:
        """The transpose."""
        return self.matrices().mT.to(columns) @ columns

    def log_abs_det(self) -> Tensor:
        """Zero."""
        return torch.zeros(1)
