"""Base class of square linear maps of the features."""

from __future__ import annotations

import abc
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.certificate import Certificate, OnError
from preimage.checks import Context, reference_tensor
from preimage.domains import Reals
from preimage.errors import ShapeError
from preimage.functional.event import align_event
from preimage.functional.matrices.condition import condition_number
from preimage.functional.matrices.rows import RowFunction, as_matrix, map_rows


class FeatureLinear(Bijection, abc.ABC):
    r"""A linear map of the features, the same at every position, :math:`y_p = W x_p + b`.

    For vectors ``(N, C)`` a dense layer, for sequences ``(N, C, T)`` and pictures ``(N, C, H, W)`` a
    convolution of size 1. log_det is :math:`P \log|\det W|` with P the number of positions. Subclasses write
    ``multiply``, ``solve`` and ``log_abs_det``.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.2, https://arxiv.org/abs/1807.03039

    Args:
        features: C.
        bias: whether there is a shift b, 0 at the start.

    Example:
        >>> import torch
        >>> class Twice(FeatureLinear):
        ...     def multiply(self, rows):
        ...         return 2 * rows
        ...     def solve(self, rows):
        ...         return rows / 2
        ...     def log_abs_det(self):
        ...         return torch.tensor(3 * math.log(2))
        >>> y, log_det = Twice(3, bias=False).forward_and_log_det(torch.ones(1, 3, 5, 5))
        >>> round(log_det.item() / math.log(2))
        75
    """

    def __init__(self, features: int, bias: bool) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"{type(self).__name__}: features is {features}, wanted at least 1")
        self.features = features
        self.domain = self.codomain = Reals(features, ...)
        self.bias = nn.Parameter(torch.zeros(features)) if bias else None

    @abc.abstractmethod
    def multiply(self, rows: Tensor) -> Tensor:
        """W applied to rows ``(M, C)``."""

    @abc.abstractmethod
    def solve(self, rows: Tensor) -> Tensor:
        """The inverse of W applied to rows ``(M, C)``."""

    @abc.abstractmethod
    def log_abs_det(self) -> Tensor:
        """log abs det W, a scalar."""

    @property
    def matrix(self) -> Tensor:
        """W as a matrix ``(C, C)``."""
        return as_matrix(self.multiply, self.features, self._like()).mT

    def offset(self) -> Tensor | None:
        """What zeros are mapped to ``(C,)``; None for zeros."""
        return self.bias

    def condition(self) -> Tensor:
        """The condition number of W, a scalar; O(C^3)."""
        return condition_number(self.matrix)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Multiply, then shift."""
        y = map_rows(self.for_rows(self.multiply, x), x)
        return (y if self.bias is None else y + align_event(self.bias, x)), self._log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Shift back, then solve."""
        shifted = y if self.bias is None else y - align_event(self.bias, y)
        return map_rows(self.for_rows(self.solve, y), shifted), -self._log_det(y)

    def for_rows(self, function: RowFunction, x: Tensor) -> RowFunction:
        """How ``multiply`` or ``solve`` is best run on the rows of x; unchanged by default."""
        return function

    def certified_inverse(
        self, y: Any, context: Context = None, *, tolerance: float | None = None, on_error: OnError = "raise"
    ) -> tuple[Any, Certificate]:
        """As for every bijection, with the condition number of W in the certificate."""
        x, certificate = super().certified_inverse(y, context, tolerance=tolerance, on_error=on_error)
        with torch.no_grad():
            condition = self.condition().to(certificate.residual.dtype)
        return x, replace(certificate, condition=condition.expand(len(certificate)))

    def extra_repr(self) -> str:
        """The number of features."""
        return f"features={self.features}, bias={self.bias is not None}"

    def _log_det(self, x: Tensor) -> Tensor:
        return (math.prod(x.shape[2:]) * self.log_abs_det()).expand(x.shape[0])

    def _like(self) -> Tensor:
        like = reference_tensor(self)
        return torch.empty(0) if like is None else like


def check_square(where: str, matrix: Tensor) -> None:
    """Refuse a weight that is not a square matrix.

    Args:
        where: the layer, for the message.
        matrix: what came.

    Raises:
        ShapeError: it has another number of dimensions, or unequal sizes.
    """
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"{where}: matrix has shape {tuple(matrix.shape)}, wanted a square (C, C)")
