"""How varied inputs are, read from what the first batch norm remembers: a prior without data."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.capture.interpret import evaluate
from preimage.inverse.calibrate.grid import as_map
from preimage.inverse.calibrate.metric import Spectrum
from preimage.inverse.preimages.norm_statistics import norms_of
from preimage.inverse.smooth import is_spatial

KNOTS = 4
"""Frequencies, evenly spaced on a logarithmic axis, at which the power is found."""

DRAWS = 8
"""Inputs from which the reaction to each part of the power is measured."""

STEPS = 500
"""Of the non-negative fit; each is a product with a tiny matrix."""

FAINT = 1e-4
"""Part of the usual variance below which a channel says nothing."""

LEAST = 1e-3
"""Part of the usual gain that every frequency keeps, so that no change of an input is impossible."""


def remembered_covariance(graph: Graph, like: Tensor) -> Spectrum | None:
    r"""The stationary covariance with which the first batch norm would see the variances it has recorded.

    The power at frequency f is :math:`\sum_k s_k h_k(\log f) / f^2`, h_k hats around a few frequencies; one
    set of s for the mean of the channels, one for their differences (light and colour). Channel c of the
    value before the batch norm has the variance :math:`\sum_k A_{ck} s_k`. A is measured with random inputs,
    and s is the non-negative fit of least relative error: edge filters tell the high frequencies, averaging
    ones the low.

    Reference: for the fit, D. Lee and H. Seung (2001), Algorithms for non-negative matrix factorization,
    https://papers.nips.cc/paper/1861.

    Args:
        graph: the captured network.
        like: decides dtype and device.

    Returns:
        The covariance; None where inputs have no neighbours, or no batch norm stands behind them.

    Cost: 32 to 64 runs of the network up to its first batch norm.
    """
    name = _first_norm(graph)
    if name is None:
        return None
    shape = graph.input_shapes[0]
    parts = _parts(shape)
    columns = torch.stack([_variances(graph, name, part, shape, like) for part in parts], 1)  # (C', K)
    recorded = norms_of(graph)[name][1].to(columns)
    heard = (recorded > recorded.median() * FAINT) & (columns.sum(1) > columns.sum(1).median() * FAINT)
    if not bool(heard.any()):
        return None
    share = non_negative((columns / recorded[:, None])[heard])
    power = sum(s * part.gain.double().square() for s, part in zip(share.cpu(), parts, strict=True))
    gain = torch.as_tensor(power).sqrt()
    gain = gain.clamp_min(LEAST * float(gain.square().mean().sqrt()))
    return Spectrum(shape, parts[0].rotation, gain.float()).to(like)


def non_negative(matrix: Tensor) -> Tensor:
    """The s >= 0 ``(K,)`` of least ``|A s - 1|`` for a non-negative A ``(R, K)``.

    Example:
        >>> non_negative(torch.tensor([[1.0, 0.0], [0.0, 4.0]]))
        tensor([1.0000, 0.2500])
    """
    scale = matrix.mean(0).clamp_min(torch.finfo(matrix.dtype).tiny)
    matrix = matrix / scale  # so that no column is far from the others
    s = matrix.new_full((matrix.shape[1],), 1.0 / matrix.shape[1])
    wanted, gram = matrix.sum(0), matrix.T @ matrix
    for _ in range(STEPS):
        s = s * wanted / (gram @ s).clamp_min(torch.finfo(matrix.dtype).tiny)
    return s / scale


def _first_norm(graph: Graph) -> str | None:
    """The value before the first batch norm, where the network has one input with neighbours."""
    if len(graph.input_shapes) != 1 or not is_spatial(graph.input_shapes[0]):
        return None
    return next((name for name in graph.order if name in norms_of(graph)), None)


def _parts(shape: tuple[int, ...]) -> list[Spectrum]:
    """Covariances of which each has power around one frequency, in the channels' mean or in the rest."""
    channels, high, wide = as_map(shape)
    i, j = torch.arange(high) / high, torch.arange(wide) / wide
    frequency = (i[:, None] ** 2 + j**2).sqrt().clamp_min(0.5 / max(high, wide))  # (H, W)
    knots = torch.linspace(math.log(frequency.min()), math.log(frequency.max()), KNOTS)
    hats = [(1 - (frequency.log() - knot).abs() / (knots[1] - knots[0])).clamp_min(0) for knot in knots]
    mean = torch.ones(channels, 1)
    rotation = torch.linalg.qr(torch.cat([mean, torch.eye(channels)[:, : channels - 1]], 1))[0]
    found = []
    for group in (slice(0, 1), slice(1, channels))[: 1 + (channels > 1)]:
        for hat in hats:
            gain = torch.zeros(channels, high, wide)
            gain[group] = hat.sqrt() / frequency
            found.append(Spectrum(shape, rotation, gain))
    return found


@torch.no_grad()
def _variances(graph: Graph, name: str, part: Spectrum, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Of each channel of a value, for inputs with a covariance, ``(C',)``."""
    noise = torch.randn(DRAWS, *shape, generator=torch.Generator().manual_seed(0)).to(like)
    values = evaluate(graph, {graph.inputs[0]: part.to(like).root(noise)}, [name])[name].double()
    away = (values - values.mean(0)).flatten(2) if values.dim() > 2 else (values - values.mean(0))[..., None]
    return away.square().sum(0).mean(1) / (DRAWS - 1)
