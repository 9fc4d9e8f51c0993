"""The closed-form start of a decoder: standardised features, and the best linear sketch from every tap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from preimage.decoders.network import Adapter, DecoderNetwork, Sketch
from preimage.errors import ShapeError

RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Candidates, relative to the mean variance of the regressors."""

POSITIONS = 49
"""Positions of a map that are looked at; neighbours say nearly the same."""

Features = Callable[[Tensor], Mapping[str, Tensor]]


@torch.no_grad()
def standardise(network: DecoderNetwork, features: Features, x: Tensor) -> None:
    """Take mean and deviation of the inputs ``(N, C, H, W)`` and of all features over into the network."""
    network.average.copy_(x.mean((0, 2, 3))[:, None, None])
    network.spread.copy_(x.std((0, 2, 3)).clamp_min(1e-6)[:, None, None])
    for label, y in features(x).items():
        adapter = cast("Adapter", network.adapters[network.labels[label]])
        maps = network.laid_out(y, label)
        deviation = maps.std((0, 2, 3))
        adapter.centre.copy_(maps.mean((0, 2, 3))[:, None, None])
        adapter.scale.copy_(deviation.clamp_min(1e-3 * float(deviation.mean()) + 1e-12)[:, None, None])


@torch.no_grad()
def sketch(
    network: DecoderNetwork,
    features: Features,
    pictures: Iterable[Tensor],
    held: Iterable[Tensor],
    seed: int = 0,
) -> dict[str, float]:
    """Fit the linear sketch of every tap by ridge regression, its strength chosen on held-out pictures.

    ``B = (Y^T Y + ridge I)^-1 Y^T X`` for windows of standardised features Y and blocks of the reduced
    picture X.

    Args:
        network: standardised already; its sketches are set.
        features: from inputs to features by label.
        pictures: batches of inputs ``(N, C, H, W)``, gone through once.
        held: batches that choose the ridge.
        seed: of the positions that are looked at.

    Returns:
        The ridge chosen for every tap.

    Raises:
        ShapeError: there are no pictures, or none to choose on.

    Cost: a forward pass, and ``(C k^2)^2`` operations a position and tap.
    """
    generator = torch.Generator().manual_seed(seed)
    fitted = _moments(network, features, pictures, generator)
    checked = _moments(network, features, held, generator)
    if not fitted or not checked:
        raise ShapeError(
            "sketching needs pictures to fit and others to choose the ridge on; one of them is empty"
        )
    ridges = {}
    for label, moments in fitted.items():
        ridges[label], weight = _best(moments, checked[label])
        estimate = cast("Sketch", network.sketches[network.labels[label]]).estimate
        estimate.weight.copy_(weight[:-1].T.reshape(estimate.weight.shape))
        cast("Tensor", estimate.bias).copy_(weight[-1])
    return ridges


def _moments(
    network: DecoderNetwork, features: Features, pictures: Iterable[Tensor], generator: torch.Generator
) -> dict[str, tuple[Tensor, Tensor]]:
    """Label -> second moments of the rows ``(y, 1)``, ``(D, D)``, and with their targets, ``(D, T)``."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for x in pictures:
        pixels = (x - network.average) / network.spread
        for label, y in features(x).items():
            rows, targets = _rows(network, label, network.standardised(y, label), pixels, generator)
            gram, cross = found.get(label, (0, 0))
            found[label] = (gram + (rows.T @ rows).double(), cross + (rows.T @ targets).double())
    return found


def _rows(
    network: DecoderNetwork, label: str, maps: Tensor, pixels: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Regressors ``(R, D)`` with a last one of 1, and targets ``(R, T)``."""
    part = cast("Sketch", network.sketches[network.labels[label]])
    height, width = maps.shape[2:]
    if not part.block:
        targets = functional.adaptive_avg_pool2d(pixels, part.place).flatten(1)  # (N, C h w)
        return _with_one(maps.flatten(1)), targets
    small = functional.adaptive_avg_pool2d(pixels, (height * part.block, width * part.block))
    blocks = functional.pixel_unshuffle(small, part.block).flatten(2)  # (N, T, P)
    window = part.estimate.kernel_size[0]
    take = torch.randperm(height * width, generator=generator)[:POSITIONS]
    rows = _windows(maps, window, take)
    return _with_one(rows.flatten(0, 1)), blocks[:, :, take].mT.flatten(0, 1)


def _windows(maps: Tensor, window: int, take: Tensor) -> Tensor:
    """Windows ``(N, R, C k k)`` of maps at the flat positions ``take (R,)``, zero outside the map."""
    edge = window // 2
    padded = functional.pad(maps, (edge, edge, edge, edge))
    row, column = take // maps.shape[3], take % maps.shape[3]
    views = padded.unfold(2, window, 1).unfold(3, window, 1)  # (N, C, h, w, k, k)
    return views[:, :, row, column].transpose(1, 2).flatten(2)


def _with_one(rows: Tensor) -> Tensor:
    return torch.cat([rows, rows.new_ones(len(rows), 1)], 1)


def _best(fitted: tuple[Tensor, Tensor], checked: tuple[Tensor, Tensor]) -> tuple[float, Tensor]:
    """The ridge with the least error on the checked rows, and its weights ``(D, T)``."""
    gram, cross = fitted
    scale = gram.diagonal()[:-1].mean().clamp_min(1e-12)
    penalty = torch.ones_like(gram.diagonal())
    penalty[-1] = 1e-9  # the mean is not shrunk
    tried = []
    for ridge in RIDGES:
        factor, info = torch.linalg.cholesky_ex(gram + torch.diag(ridge * scale * penalty))
        if not info.item():
            weight = torch.cholesky_solve(cross, factor)
            error = (weight * (checked[0] @ weight - 2 * checked[1])).sum()  # up to a constant
            tried.append((float(error), ridge, weight))
    if not tried:
        raise ShapeError("the features are constant or not finite on these pictures; give other pictures")
    _, ridge, weight = min(tried, key=lambda found: found[0])
    return ridge, weight.float()
