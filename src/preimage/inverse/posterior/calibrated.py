"""The posterior around an estimate whose errors were measured on inputs that it had not seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.certificate import Certificate, with_message
from preimage.inverse.calibrate.metric import Spectrum
from preimage.inverse.packing import sample_rows
from preimage.inverse.posterior.error_model import ErrorModel
from preimage.inverse.posterior.posterior import Posterior, Solve, normal_numbers
from preimage.inverse.solvers.nonlinear.metric import Identity, Metric

if TYPE_CHECKING:
    from preimage.inverse.on_demand import OnDemand


@final
class CalibratedPosterior(Posterior):
    r"""An estimate :math:`\hat x` with the distribution of its errors.

    A number lies in :math:`\hat x_i \pm s_i Q(p)` with probability p, s the likely size of its error and Q
    the quantiles of errors relative to it, see :class:`ErrorModel`. Draws have exactly these quantiles at
    every number, and the correlations of the metric between them (a Gaussian copula).

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``.
        tap: label, value or module path; the network's output when None.
        mean: the estimate, ``(N, *input)``, made by whatever the error model was fitted to.
        errors: its error model for this tap.
        metric: covariance of its errors, from which draws take their correlations; independent when None.
        certificate: of the mean; measured when None. Its message says how many sources stand behind the
            intervals.
        solve: moves draws to f(x) = y, as ``inverse.solve`` does, which is used when None.

    Cost: one pass of :class:`preimage.inverse.posterior.Activity`; two small matrix products a draw.
    """

    def __init__(
        self,
        inverse: OnDemand,
        y: Tensor,
        tap: str | TapLike | None,
        mean: Tensor,
        errors: ErrorModel,
        metric: Metric | None = None,
        certificate: Certificate | None = None,
        solve: Solve | None = None,
    ) -> None:
        super().__init__(inverse, y, tap, solve)
        self._estimate, self._errors = mean, errors
        self._metric = Identity() if metric is None else metric
        certificate = certificate or inverse.evidence(mean, y, tap, None)
        self._certificate = with_support(certificate, errors)
        with torch.no_grad():
            self._size = errors(mean, sample_rows(inverse.graph, inverse.node(tap), y))

    @property
    def mode(self) -> str:
        """What the distribution was learnt from."""
        return f"calibrated on {self._errors.inputs} inputs of {self._errors.sources} sources"

    @property
    def _mean(self) -> Tensor:
        return self._estimate

    @property
    def _deviation(self) -> Tensor:
        return self._scaled(self._errors.deviation.to(self._size))

    def _half_width(self, level: float) -> Tensor:
        return self._scaled(self._errors.width(level, self._size))

    def _drawn(self, count: int, generator: torch.Generator | None) -> Tensor:
        like = self._size.repeat_interleave(count, 0)
        normal = _unit(self._metric, normal_numbers(tuple(like.shape), like, generator))
        probability = torch.erf(normal.abs() / math.sqrt(2))  # of |z| below it
        mapped = probability.reshape(-1, *self._errors.grid.input_map)
        relative = self._errors.quantile(mapped).reshape(like.shape) * normal.sign()
        return self._estimate.repeat_interleave(count, 0) + like * relative

    def _scaled(self, factor: Tensor) -> Tensor:
        mapped = self._size.reshape(-1, *self._errors.grid.input_map)
        return (mapped * factor).reshape(self._size.shape)


def with_support(certificate: Certificate, errors: ErrorModel) -> Certificate:
    """The same evidence, with what stands behind the intervals in its message."""
    text = f"intervals rest on {errors.sources} independent sources"
    if math.isfinite(errors.uncertainty):
        text += f": 90 % means 90 % within {100 * errors.uncertainty:.1f} points (standard error)"
    return with_message(certificate, certificate.message, text)


def _unit(metric: Metric, noise: Tensor) -> Tensor:
    """Normal numbers of variance one everywhere, correlated as the metric says."""
    drawn = metric.root(noise)
    return drawn / metric.variance(drawn).sqrt() if isinstance(metric, Spectrum) else drawn
