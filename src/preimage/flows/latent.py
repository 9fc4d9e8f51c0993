"""Do encoded data look like the latents they should be? Divergences from samples, some of them losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from preimage.checks import as_tuple
from preimage.errors import ShapeError
from preimage.flows.flow import Flow
from preimage.nets import MLP
from preimage.training import FitSettings, fit

_CLASSIFIER = {"epochs": 50, "batch_size": 64, "learning_rate": 3e-3, "weight_decay": 1e-2}


def moment_divergence(z: Tensor) -> Tensor:
    r"""The divergence from the standard normal of the normal distribution with the moments of a sample.

    .. math:: \tfrac12 \left(\operatorname{tr} S + m^T m - D - \log\det S\right)

    with the mean m and the covariance S of the rows: the part of the divergence that is in the first two
    moments, and differentiable, so that it may be a loss on encoded data. It is 0 for some distributions that
    are not normal.

    Reference: Kullback, Leibler (1951), https://doi.org/10.1214/aoms/1177729694

    Args:
        z: encoded data ``(N, ...)``, N larger than the number D of values in a row.

    Returns:
        A scalar, in nats.

    Raises:
        ShapeError: too few rows for a covariance of full rank.

    Cost: O(N D^2 + D^3).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = 2 * torch.randn(100_000, 1, generator=generator)
        >>> round(moment_divergence(x).item(), 1)  # 1.5 - log 2
        0.8
    """
    z = _flat(z)
    rows, features = z.shape
    if rows <= features:
        raise ShapeError(
            f"moment_divergence: z has shape {tuple(z.shape)}, wanted more rows than the {features} values"
            " of a row; use more data, or neighbour_divergence"
        )
    mean = z.mean(0)
    centred = z - mean
    covariance = centred.T @ centred / rows
    log_det = 2 * torch.linalg.cholesky(covariance).diagonal().log().sum()
    return 0.5 * (covariance.trace() + mean.square().sum() - features - log_det)


def neighbour_divergence(x: Tensor, y: Tensor, neighbours: int = 5) -> Tensor:
    r"""Values whose mean estimates the divergence of one distribution from another, both known as samples.

    .. math:: \ell_i = D \log \frac{\nu_k(x_i)}{\rho_k(x_i)} + \log \frac{M}{N - 1}

    with the distances :math:`\rho_k` and :math:`\nu_k` from :math:`x_i` to its k-th neighbour among the other
    x and among the y. The mean converges to :math:`\mathrm{KL}(p_x \| p_y)`, slowly in many dimensions. It is
    differentiable in both samples.

    Reference: Wang, Kulkarni, Verdú (2009), Divergence estimation for multidimensional densities via
    k-nearest-neighbor distances, https://doi.org/10.1109/TIT.2009.2016060

    Args:
        x: sample ``(N, ...)``, such as encoded data, without repeated rows.
        y: sample ``(M, ...)``, such as draws of the base.
        neighbours: k; larger values have less spread and more bias.

    Returns:
        Tensor ``(N,)``.

    Raises:
        ShapeError: rows of different sizes, or fewer rows than neighbours.

    Cost: O(N (N + M) D), in blocks.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, y = torch.randn(2, 2000, 1, generator=generator)
        >>> abs(neighbour_divergence(x + 1, y).mean() - 0.5).item() < 0.1
        True
    """
    x, y = _flat(x), _flat(y)
    if x.shape[1] != y.shape[1] or not 0 < neighbours < len(x) or neighbours > len(y):
        raise ShapeError(
            f"neighbour_divergence: samples have shapes {tuple(x.shape)} and {tuple(y.shape)} with"
            f" {neighbours} neighbours, wanted rows of one size, more of them than neighbours"
        )
    within = _distance(x, x, neighbours + 1)  # the nearest is the row itself
    across = _distance(x, y, neighbours)
    return x.shape[1] * (across.log() - within.log()) + math.log(len(y) / (len(x) - 1))


@dataclass(frozen=True)
class Told:
    """How well a classifier tells two samples apart, on rows that it was not trained on.

    Args:
        accuracy: share of rows classified rightly; 0.5 where the samples look alike.
        divergence: a bound from below, on average, of the divergence of the first from the second, in nats.
        standard_error: of the divergence.

    Example:
        >>> Told(0.5, 0.0, 0.01).accuracy
        0.5
    """

    accuracy: float
    divergence: float
    standard_error: float


def classifier_divergence(
    x: Tensor, y: Tensor, hidden_features: Sequence[int] = (64, 64), **settings: Any
) -> Told:
    r"""A bound of the divergence of one sample from another, by a classifier between them.

    .. math:: \mathrm{KL}(p_x \| p_y) \ge \mathbb E_x[T] + 1 - \mathbb E_y[e^T]

    for the log-odds T of any classifier; it is trained on one half of the rows and judged on the other.

    Reference: Nguyen, Wainwright, Jordan (2010), https://arxiv.org/abs/0809.0853; as a test: Lopez-Paz, Oquab
    (2017), https://arxiv.org/abs/1610.06545

    Args:
        x: sample ``(N, ...)``.
        y: sample ``(M, ...)``; the same number of rows of both is used.
        hidden_features: widths of the classifier.
        settings: see :class:`preimage.training.FitSettings`.

    Returns:
        Accuracy and bound.

    Raises:
        ShapeError: rows of different sizes, or fewer than 8.

    Cost: the training of a small network.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, y = torch.randn(2, 400, 1, generator=generator)
        >>> classifier_divergence(x + 3, y, epochs=20, progress=False).accuracy > 0.9
        True
    """
    x, y = _flat(x), _flat(y)
    rows = min(len(x), len(y))
    if x.shape[1] != y.shape[1] or rows < 8:
        raise ShapeError(
            f"classifier_divergence: samples have shapes {tuple(x.shape)} and {tuple(y.shape)}, wanted 8 rows"
            " or more of one size"
        )
    x, y = (part[torch.randperm(len(part), generator=_generator(part))[:rows]] for part in (x, y))
    half = rows // 2
    pairs = torch.stack([x, y], dim=1).detach()  # (rows, 2, D)
    net = MLP(x.shape[1], 1, hidden_features).to(x)
    with torch.enable_grad():
        fit(net, _classification, pairs[:half], FitSettings(**(_CLASSIFIER | settings)))
    with torch.no_grad():
        log_odds = _log_odds(net, pairs[half:])  # (rows - half, 2)
    return _judged(log_odds)


@dataclass(frozen=True)
class LatentCheck:
    """Encoded data against draws of the base.

    Args:
        moments: :func:`moment_divergence` after base and data are scaled by the moments of the base; None
            where there are too few rows.
        neighbours: the mean of :func:`neighbour_divergence`.
        neighbours_error: its standard error.
        worst_distance: the largest distance of the distribution functions of one dimension, in [0, 1].
        expected_distance: the median of that for a flow that is exact.

    Example:
        >>> LatentCheck(0.1, 0.2, 0.01, 0.05, 0.04).neighbours
        0.2
    """

    moments: float | None
    neighbours: float
    neighbours_error: float
    worst_distance: float
    expected_distance: float


@torch.no_grad()
def check_latents(
    flow: Flow, data: Any, context: Any = None, *, generator: torch.Generator | None = None
) -> LatentCheck:
    r"""Compare encoded data with the latents that the flow assumes.

    Both :math:`\mathrm{KL}(f(x) \| z)` in latents and :math:`\mathrm{KL}(p_\text{data} \| p_\text{flow})` are
    the same number, so what is found here is what the likelihood loses.

    Reference: Papamakarios et al. (2021), section 2.3.3, https://arxiv.org/abs/1912.02762

    Args:
        flow: the flow.
        data: ``(N, *event)``, not those it was trained on.
        context: conditioning values ``(N, ...)``.
        generator: for the draws of the base.

    Returns:
        The figures.

    Cost: one run of the flow, and O(N^2 D) for the neighbours.

    Example:
        >>> from preimage import flows
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = torch.randn(500, 2, generator=generator)
        >>> check_latents(flows.realnvp(2).eval(), x, generator=generator).worst_distance < 0.1
        True
    """
    z = _flat(flow.encode(data, context))
    told = context if flow.embedding is None or context is None else flow.embedding(context)
    drawn = flow.base.draw(len(z), None if flow.base.context_domain is None else told, generator)
    base = _flat(drawn).to(z.dtype)
    scaled = (z - base.mean(0)) / base.std(0)
    each = neighbour_divergence(z, base)
    return LatentCheck(
        moments=moment_divergence(scaled).item() if len(z) > z.shape[1] else None,
        neighbours=each.mean().item(),
        neighbours_error=(each.std() / math.sqrt(len(each))).item(),
        worst_distance=max(map(_distribution_distance, z.T, base.T)),
        expected_distance=_expected_worst(len(z), z.shape[1]),
    )


def _flat(z: Any) -> Tensor:
    """One matrix ``(N, D)`` of a tensor or a tuple of them."""
    return torch.cat([part.flatten(1) for part in as_tuple(z)], dim=1)


def _distance(x: Tensor, y: Tensor, rank: int) -> Tensor:
    """The distance of every x to its neighbour of this rank, differentiable ``(N,)``."""
    with torch.no_grad():
        near = [torch.cdist(part, y).topk(rank, largest=False).indices[:, -1] for part in x.split(1024)]
    gap = (x - y[torch.cat(near)]).square().sum(1)
    return gap.clamp_min(torch.finfo(x.dtype).tiny).sqrt()


def _log_odds(net: nn.Module, pairs: Tensor) -> Tensor:
    return cast(Tensor, net(pairs.flatten(0, 1))).view(len(pairs), 2)


def _classification(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    log_odds = _log_odds(net, batch[0])
    return softplus(-log_odds[:, 0]) + softplus(log_odds[:, 1])


def _judged(log_odds: Tensor) -> Told:
    first, second = log_odds.unbind(1)
    values = first + 1 - second.exp()
    right = ((first > 0).double() + (second < 0).double()).mean() / 2
    error = values.std() / math.sqrt(len(values))
    return Told(right.item(), values.mean().item(), error.item())


def _distribution_distance(x: Tensor, y: Tensor) -> float:
    """The Kolmogorov-Smirnov distance of two samples."""
    both = torch.cat([x, y]).sort().values
    shares = [torch.searchsorted(part.sort().values, both, right=True) / len(part) for part in (x, y)]
    return (shares[0] - shares[1]).abs().max().item()


def _expected_worst(rows: int, features: int) -> float:
    """Of two samples of one distribution: the median of the largest of ``features`` distances."""
    tail = 1 - 0.5 ** (1 / features)
    return math.sqrt(-0.5 * math.log(tail / 2) * 2 / rows)


def _generator(x: Tensor) -> torch.Generator:
    return torch.Generator(x.device).manual_seed(0)
