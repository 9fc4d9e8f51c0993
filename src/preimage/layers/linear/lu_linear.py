"""Linear maps of the features, parametrised by their LU decomposition."""

from __future__ import annotations

import abc
from typing import Self

import torch
from torch import Tensor, nn

from preimage.errors import NotInvertibleError
from preimage.layers.linear.feature_linear import FeatureLinear, check_square


class LUFactors(FeatureLinear, abc.ABC):
    """A linear map :math:`W = P L (U + diag)`; subclasses say in which arrays the factors are kept.

    Args:
        features: number C of features or channels.
        bias: whether there is a shift b.

    Example:
        >>> issubclass(LULinear, LUFactors), issubclass(MaskedLULinear, LUFactors)
        (True, True)
    """

    order: Tensor
    undo: Tensor
    signs: Tensor

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__(features, bias)
        self.register_buffer("order", torch.arange(features))
        self.register_buffer("undo", torch.arange(features))
        self.register_buffer("signs", torch.ones(features))

    @abc.abstractmethod
    def below(self) -> Tensor:
        """What L holds below its diagonal of ones; zero elsewhere, ``(C, C)``."""

    @abc.abstractmethod
    def above(self) -> Tensor:
        """U, zero on and below the diagonal, ``(C, C)``."""

    @abc.abstractmethod
    def log_scale(self) -> Tensor:
        """The logarithms a of the diagonal ``(C,)``."""

    @abc.abstractmethod
    def set_factors(self, lower: Tensor, upper: Tensor, log_scale: Tensor) -> None:
        """Keep a decomposition: the strict triangles ``(C, C)`` and a ``(C,)``."""

    @classmethod
    def from_matrix(cls, matrix: Tensor, bias: bool = True) -> Self:
        """The layer that starts with a given W.

        Args:
            matrix: W ``(C, C)``, such as a random rotation ``torch.linalg.qr(torch.randn(C, C)).Q``.
            bias: whether there is a shift, 0 at the start.

        Returns:
            The layer, of the dtype and device of the matrix.

        Raises:
            ShapeError: the matrix is not square.
            NotInvertibleError: it is singular.

        Cost: O(C^3), once.

        Example:
            >>> import torch
            >>> matrix = torch.tensor([[1.0, 2.0], [4.0, 1.0]])
            >>> torch.allclose(LULinear.from_matrix(matrix).matrix, matrix)
            True
        """
        check_square(cls.__name__, matrix)
        permutation, lower, upper = torch.linalg.lu(matrix.detach())
        diagonal = upper.diagonal()
        if not (diagonal.abs() > 0).all():
            raise NotInvertibleError(f"{cls.__name__}: the matrix is singular, wanted an invertible one")
        layer = cls(matrix.shape[0], bias).to(matrix)
        layer.order.copy_(permutation.argmax(1))
        layer.undo.copy_(layer.order.argsort())
        layer.signs.copy_(diagonal.sign())
        with torch.no_grad():
            layer.set_factors(lower.tril(-1), upper.triu(1), diagonal.abs().log())
        return layer

    def multiply(self, rows: Tensor) -> Tensor:
        """P L U applied to rows."""
        return (rows @ self._upper().mT @ self._lower().mT).index_select(1, self.order)

    def solve(self, rows: Tensor) -> Tensor:
        """Two triangular solves."""
        rows = rows.index_select(1, self.undo)
        rows = torch.linalg.solve_triangular(self._lower().mT, rows, upper=True, left=False)
        return torch.linalg.solve_triangular(self._upper().mT, rows, upper=False, left=False)

    def log_abs_det(self) -> Tensor:
        """The sum of the log-scales."""
        return self.log_scale().sum()

    def _lower(self) -> Tensor:
        return self.below() + torch.eye(self.features, dtype=self.signs.dtype, device=self.signs.device)

    def _upper(self) -> Tensor:
        return self.above() + torch.diag_embed(self.signs * self.log_scale().exp())


class LULinear(LUFactors):
    r"""Linear map :math:`y_p = W x_p + b` with :math:`W = P L (U + \operatorname{diag}(\sigma e^{a}))`.

    P is a fixed permutation, L unit lower and U strictly upper triangular, and :math:`\sigma` fixed signs.
    The inverse is two triangular solves, and log_det is :math:`\sum a` times the number of positions: W can
    never become singular. L, U and a share one matrix of parameters.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.2, https://arxiv.org/abs/1807.03039

    Args:
        features: number C of features or channels. Starts as the identity; ``from_matrix`` starts
            anywhere else.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.

    Cost: two products with triangular C x C matrices a position, forwards and backwards alike.

    Example:
        >>> import torch
        >>> layer = LULinear.from_matrix(torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
        >>> y, log_det = layer.forward_and_log_det(torch.tensor([[3.0, 5.0]]))
        >>> y.tolist(), round(log_det.item(), 4)
        ([[10.0, 3.0]], 0.6931)
    """

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__(features, bias)
        self.factors = nn.Parameter(torch.zeros(features, features))
        """Below the diagonal L, on it a, above it U."""

    def below(self) -> Tensor:
        """The lower triangle of the shared matrix."""
        return self.factors.tril(-1)

    def above(self) -> Tensor:
        """The upper triangle."""
        return self.factors.triu(1)

    def log_scale(self) -> Tensor:
        """The diagonal."""
        return self.factors.diagonal()

    def set_factors(self, lower: Tensor, upper: Tensor, log_scale: Tensor) -> None:
        """All in one matrix."""
        self.factors.copy_(lower + upper + log_scale.diag())


class MaskedLULinear(LUFactors):
    r"""The map of :class:`LULinear` with L, U and a in arrays of their own: 2 C^2 + C parameters.

    Half of the two square arrays lies behind a mask and has no effect. This is how Glow and the networks
    that follow it store the factors, so their parameter counts and weights fit; elsewhere
    :class:`LULinear` does the same with C^2 parameters. W and its inverse are multiplied out, and the
    inverse is refined once: where W is well conditioned but its factors are not, as for a rotation of many
    channels, round trips in float32 are ten times closer than by two triangular solves.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.2, https://arxiv.org/abs/1807.03039

    Args:
        features: number C of features or channels. Starts as the identity; ``from_matrix`` starts anywhere
            else.
        bias: whether there is a shift b.

    Returns:
        y of the shape of x ``(N, C, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not have C features.

    Cost: one product of two C x C matrices a call, and two solves of that size backwards; one product with W
    a position forwards, three backwards.

    Example:
        >>> layer = MaskedLULinear(21, bias=False)
        >>> sum(parameter.numel() for parameter in layer.parameters())
        903
    """

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__(features, bias)
        self.lower = nn.Parameter(torch.zeros(features, features))
        self.upper = nn.Parameter(torch.zeros(features, features))
        self.log_scales = nn.Parameter(torch.zeros(features))

    def below(self) -> Tensor:
        """The lower triangle of its array."""
        return self.lower.tril(-1)

    def above(self) -> Tensor:
        """The upper triangle of its array."""
        return self.upper.triu(1)

    def log_scale(self) -> Tensor:
        """The parameter itself."""
        return self.log_scales

    def set_factors(self, lower: Tensor, upper: Tensor, log_scale: Tensor) -> None:
        """Each in its place."""
        self.lower.copy_(lower)
        self.upper.copy_(upper)
        self.log_scales.copy_(log_scale)

    def multiply(self, rows: Tensor) -> Tensor:
        """W applied to rows."""
        return rows @ self._weight().mT

    def solve(self, rows: Tensor) -> Tensor:
        """The inverse of W applied to rows, then to what that left over."""
        weight, inverse = self._weight().mT, self._inverse_weight().mT
        first = rows @ inverse
        return first + (rows - first @ weight) @ inverse

    def _weight(self) -> Tensor:
        return (self._lower() @ self._upper()).index_select(0, self.order)

    def _inverse_weight(self) -> Tensor:
        eye = torch.eye(self.features, dtype=self.signs.dtype, device=self.signs.device)
        half = torch.linalg.solve_triangular(self._lower(), eye.index_select(0, self.undo), upper=False)
        return torch.linalg.solve_triangular(self._upper(), half, upper=True)
