"""How a residual layer computes its log-determinant: exactly, or by an unbiased series."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor

from preimage.functional.matrices.jacobian import RowMap, row_jacobian
from preimage.functional.matrices.log_det_series import (
    LogDetEstimate,
    rademacher,
    roulette_weights,
    series_log_det,
)


class LogDet(abc.ABC):
    r"""A way to :math:`\log\det(I + J_g(x))` for a contraction g.

    Example:
        >>> isinstance(ExactLogDet(), LogDet)
        True
    """

    @abc.abstractmethod
    def estimate(self, function: RowMap, x: Tensor, contraction: float) -> LogDetEstimate:
        """The log_det at x, with what is known about its error.

        Args:
            function: g, see :data:`~preimage.functional.matrices.jacobian.RowMap`.
            x: where, ``(N, D)``.
            contraction: a Lipschitz constant of g, below 1.
        """


class ExactLogDet(LogDet):
    """The full Jacobian and its determinant. For events of up to some hundred numbers.

    Reference: Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019), section 3.2,
    https://arxiv.org/abs/1811.00995

    Cost: D evaluations and O(D^3) for each row.

    Example:
        >>> ExactLogDet().estimate(lambda x: 0.5 * x, torch.zeros(1, 2), 0.5).value
        tensor([0.8109])
    """

    def estimate(self, function: RowMap, x: Tensor, contraction: float) -> LogDetEstimate:
        """No error but rounding."""
        matrix = row_jacobian(function, x)  # (N, D, D)
        identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        value = torch.linalg.slogdet(identity + matrix).logabsdet
        return LogDetEstimate(value, torch.zeros_like(value), 0.0, 1)


class SeriesLogDet(LogDet):
    """A power series seen through random directions, with memory that does not grow with its length.

    Args:
        probes: number of random directions for each row; the standard error needs two or more.
        terms: number of terms that are always summed.
        generator: source of randomness on the device of the input; the global one by default.
    """

    def __init__(self, probes: int, terms: int, generator: torch.Generator | None) -> None:
        if probes < 1 or terms < 1:
            raise ValueError(f"{type(self).__name__}: got probes={probes}, terms={terms}, wanted 1 or more")
        self.probes, self.terms, self.generator = probes, terms, generator

    @abc.abstractmethod
    def weights(self, contraction: float) -> Tensor:
        """Factors of the terms ``(probes, K)``."""

    @abc.abstractmethod
    def bias_bound(self, size: int, contraction: float) -> float:
        """How far the mean may be off for events of so many numbers."""

    def estimate(self, function: RowMap, x: Tensor, contraction: float) -> LogDetEstimate:
        """The mean of the probes and their standard error."""
        directions = rademacher(x, self.probes, self.generator)
        weights = self.weights(contraction).to(x.device)
        values = series_log_det(function, x, directions, weights)  # (M, N)
        spread = values.detach().std(0) if self.probes > 1 else torch.full_like(values[0], torch.nan).detach()
        bias = self.bias_bound(x.shape[1], contraction)
        return LogDetEstimate(values.mean(0), spread / math.sqrt(self.probes), bias, self.probes)


class RussianRoulette(SeriesLogDet):
    r"""Unbiased estimate of :math:`\log\det(I + J) = \sum_k \frac{(-1)^{k+1}}{k} \operatorname{tr} J^k`.

    Traces are seen through random signs (Hutchinson), and the series ends at a random length, its terms
    weighted up by how seldom they occur. If the series goes on with the probability q = c, the Lipschitz
    constant, the variance is finite and so is that of the standard error, which a fixed q = 0.5 does not give
    for c above 0.71. The random lengths are drawn anew at every call, so the values of two calls differ.

    Reference: Chen, Behrmann, Duvenaud, Jacobsen (2019), Residual flows, https://arxiv.org/abs/1906.02735

    Args:
        probes: number of independent estimates M whose mean is taken, for each row; 32 or more where the
            standard error shall be trusted.
        terms: number of terms that are always summed.
        continuation: the probability q to go on; the Lipschitz constant of the network by default.
        generator: source of randomness on the device of the input; the global one by default.

    Raises:
        ValueError: a number is out of range.

    Cost: ``terms + q / (1 - q)`` products with the Jacobian in the mean, each for M * N rows.

    Example:
        >>> roulette = RussianRoulette(probes=64, generator=torch.Generator().manual_seed(0))
        >>> found = roulette.estimate(lambda x: 0.5 * x, torch.zeros(1, 2), 0.5)
        >>> abs(found.value - 0.8109) < 4 * found.standard_error
        tensor([True])
    """

    def __init__(
        self,
        probes: int = 1,
        terms: int = 4,
        *,
        continuation: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(probes, terms, generator)
        if continuation is not None and not 0 < continuation < 1:
            raise ValueError(
                f"RussianRoulette: continuation is {continuation}, wanted None or a number between 0 and 1"
            )
        self.continuation = continuation

    def weights(self, contraction: float) -> Tensor:
        """Random lengths, one a probe."""
        continuation = contraction if self.continuation is None else self.continuation
        return roulette_weights(self.probes, self.terms, continuation, self.generator)

    def bias_bound(self, size: int, contraction: float) -> float:
        """None."""
        return 0.0


class TruncatedSeries(SeriesLogDet):
    r"""The first K terms of :math:`\sum_k \frac{(-1)^{k+1}}{k} \operatorname{tr} J^k`; the rest bounded.

    .. math:: |\text{bias}| \le D\,\frac{c^{K+1}}{(K + 1)(1 - c)}

    Biased: training by it rewards what it does not see. The estimate says by how much it may be off.

    Reference: Behrmann, Grathwohl, Chen, Duvenaud, Jacobsen (2019), theorem 3,
    https://arxiv.org/abs/1811.00995

    Args:
        probes: number of random directions for each row.
        terms: number of terms K.
        generator: source of randomness on the device of the input; the global one by default.

    Raises:
        ValueError: a number is out of range.

    Cost: K products with the Jacobian, each for ``probes * N`` rows.

    Example:
        >>> found = TruncatedSeries(probes=2, terms=9).estimate(lambda x: 0.5 * x, torch.zeros(1, 2), 0.5)
        >>> found.value, found.bias_bound
        (tensor([0.8111]), 0.000390625)
    """

    def __init__(self, probes: int = 1, terms: int = 10, *, generator: torch.Generator | None = None) -> None:
        super().__init__(probes, terms, generator)

    def weights(self, contraction: float) -> Tensor:
        """Ones."""
        return torch.ones(self.probes, self.terms)

    def bias_bound(self, size: int, contraction: float) -> float:
        """The sum of the bounds of the terms that are left out."""
        return size * contraction ** (self.terms + 1) / ((self.terms + 1) * (1 - contraction))
