"""How well a flow covers a density, judged by its importance weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from preimage.flows.flow import Flow
from preimage.flows.variational.objectives import LogDensity

RELIABLE = 0.7  # above it the estimates converge too slowly to be used (Vehtari et al., section 3.2)


@dataclass(frozen=True)
class ImportanceSample:
    r"""Samples of a flow with their weights for another density, :math:`w_n = p(x_n) / q(x_n)`.

    Args:
        x: samples ``(N, *event)``.
        log_weights: log-weights ``(N,)``, up to the constant of p.
    """

    x: Tensor
    log_weights: Tensor

    @property
    def effective_sample_size(self) -> float:
        r"""The number of equally weighted samples that would be worth as much, :math:`(\sum w)^2 / \sum w^2`.

        Reference: Kong (1992); it is only to be trusted where :attr:`pareto_shape` is below 0.7.
        """
        weights = self.log_weights.double().softmax(0)
        return 1 / weights.square().sum().item()

    @property
    def log_evidence(self) -> float:
        """The log of the mean weight: log of the constant Z of p."""
        return (self.log_weights.double().logsumexp(0) - math.log(len(self.log_weights))).item()

    @property
    def log_evidence_error(self) -> float:
        """Standard error of :attr:`log_evidence`, to first order."""
        weights = (self.log_weights.double() - self.log_evidence).exp()
        return (weights.std() / math.sqrt(len(weights))).item()

    @property
    def pareto_shape(self) -> float:
        """Shape k of a generalised Pareto distribution fitted to the largest weights.

        Below 0.5 the weights have a variance; above 0.7 the flow misses too much of the density for its
        samples to be corrected.

        Reference: Vehtari, Simpson, Gelman, Yao, Gabry (2024), Pareto smoothed importance sampling,
        https://arxiv.org/abs/1507.02646
        """
        tail = _tail(self.log_weights)
        return math.nan if tail is None else _pareto_fit(tail)[0]

    @property
    def reliable(self) -> bool:
        """Whether the shape of the tail is known and below 0.7."""
        return self.pareto_shape < RELIABLE

    def smoothed_log_weights(self) -> Tensor:
        """The log-weights ``(N,)``, normalised, the largest replaced by quantiles of the fitted tail."""
        tail = _tail(self.log_weights)
        log_weights = self.log_weights.double().clone()
        if tail is not None:
            shape, scale = _pareto_fit(tail)
            place = (torch.arange(len(tail), dtype=torch.float64, device=tail.device) + 0.5) / len(tail)
            excess = scale * torch.expm1(-shape * torch.log1p(-place)) / shape
            order = log_weights.argsort()[-len(tail) :]
            top, cut = log_weights.max(), log_weights.sort().values[-len(tail) - 1]
            smoothed = (excess + (cut - top).exp()).log() + top
            log_weights[order] = smoothed.clamp(max=top)
        return (log_weights - log_weights.logsumexp(0)).to(self.log_weights.dtype)


@torch.no_grad()
def importance_sample(
    flow: Flow, log_density: LogDensity, count: int, *, generator: torch.Generator | None = None
) -> ImportanceSample:
    """Samples of a flow with their weights for a density.

    Args:
        flow: the proposal.
        log_density: the target, ``(N, *event)`` to ``(N,)``, up to a constant.
        count: number of samples; some thousands for a stable shape.
        generator: source of randomness; the global one by default.

    Returns:
        Samples and log-weights, with the diagnostics.

    Cost: one pass of the inverse, one evaluation of the target.

    Example:
        >>> from preimage import flows
        >>> sample = importance_sample(flows.iaf(2), lambda x: -x.square().sum(1) / 2, 2000)
        >>> abs(sample.log_evidence - math.log(2 * math.pi)) < 0.2
        True
    """
    x, log_prob = flow.sample_and_log_prob(count, generator=generator)
    return ImportanceSample(x, log_density(x) - log_prob)


def _tail(log_weights: Tensor) -> Tensor | None:
    """The excesses of the largest weights over the next one, rising, relative to the largest."""
    count = len(log_weights)
    size = min(count // 5, math.ceil(3 * math.sqrt(count)))
    if size < 5:
        return None
    ordered = log_weights.double().sort().values
    relative = (ordered - ordered[-1]).exp()
    excess = relative[-size:] - relative[-size - 1]
    return excess if excess[0] >= 0 and excess[-1] > 0 else None


def _pareto_fit(excess: Tensor) -> tuple[float, float]:
    r"""Shape and scale of a generalised Pareto distribution, by the posterior mean over a grid.

    Reference: Zhang, Stephens (2009), A new and efficient estimation method for the generalized Pareto
    distribution, https://doi.org/10.1198/tech.2009.08017; the weak prior on the shape is that of Vehtari et
    al.
    """
    size, grid = len(excess), 30 + int(math.sqrt(len(excess)))
    quarter = excess[int(size / 4 + 0.5) - 1].clamp_min(torch.finfo(excess.dtype).tiny)
    steps = torch.arange(1, grid + 1, dtype=excess.dtype, device=excess.device) - 0.5
    theta = 1 / excess[-1] + (1 - torch.sqrt(grid / steps)) / (3 * quarter)  # (G,)
    shapes = torch.log1p(-theta[:, None] * excess).mean(dim=1)
    profile = size * (torch.log(-theta / shapes) - shapes - 1)
    best = (profile.nan_to_num(nan=-math.inf).softmax(0) * theta).sum()
    shape = torch.log1p(-best * excess).mean().item()
    scale = -shape / best.item()
    prior = 10.0
    return shape * size / (size + prior) + 0.5 * prior / (size + prior), scale


def diagnosis(sample: ImportanceSample) -> dict[str, Any]:
    """The diagnostics as plain data."""
    names = ("effective_sample_size", "log_evidence", "log_evidence_error", "pareto_shape", "reliable")
    return {name: getattr(sample, name) for name in names}
