"""nflows: the neural spline flows of their authors, masked autoregressive flows, and Glow."""

from __future__ import annotations

from functools import partial

import torch
from nflows import transforms as maps
from nflows.distributions.normal import StandardNormal
from nflows.flows.base import Flow
from nflows.nn.nets import ConvResidualNet, ResidualNet
from torch import nn

from flow_peers.contender import Family, LogProb, Shape

TAILS = {"tails": "linear", "tail_bound": 5.0}


def _flow(layers: list[nn.Module], shape: Shape) -> nn.Module:
    return LogProb(Flow(maps.CompositeTransform(layers), StandardNormal(list(shape))))


def _mixed(features: int) -> list[nn.Module]:
    """The linear layer between transforms: a permutation and a triangular decomposition."""
    return [maps.RandomPermutation(features), maps.LULinear(features, identity_init=True)]


def autoregressive_splines(shape: Shape, transforms: int, width: int, bins: int = 8) -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range(transforms):
        layers += _mixed(shape[0])
        layers.append(
            maps.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
                shape[0], width, num_blocks=2, use_residual_blocks=True, num_bins=bins, **TAILS
            )
        )
    return _flow(layers, shape)


def coupling_splines(shape: Shape, transforms: int, width: int) -> nn.Module:
    layers: list[nn.Module] = []
    for number in range(transforms):
        mask = (torch.arange(shape[0]) + number) % 2
        net = partial(ResidualNet, hidden_features=width, num_blocks=2)
        layers += _mixed(shape[0])
        layers.append(maps.PiecewiseRationalQuadraticCouplingTransform(mask, net, num_bins=8, **TAILS))
    return _flow(layers, shape)


def masked_affine(shape: Shape, transforms: int, width: int) -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range(transforms):
        layers += [
            maps.ReversePermutation(shape[0]),
            maps.MaskedAffineAutoregressiveTransform(shape[0], width, num_blocks=2),
            maps.ActNorm(shape[0]),
        ]
    return _flow(layers, shape)


def glow(shape: Shape, transforms: int, width: int) -> nn.Module:
    levels = 2
    whole = maps.MultiscaleCompositeTransform(levels)
    now: Shape = shape
    for level in range(levels):
        channels, height, side = now[0] * 4, now[1] // 2, now[2] // 2
        steps: list[nn.Module] = [maps.SqueezeTransform()]
        for number in range(transforms):
            mask = (torch.arange(channels) + number) % 2
            net = partial(ConvResidualNet, hidden_channels=width, num_blocks=1)
            steps += [
                maps.ActNorm(channels),
                maps.OneByOneConvolution(channels),
                maps.AffineCouplingTransform(mask, net),
            ]
        following = whole.add_transform(maps.CompositeTransform(steps), (channels, height, side))
        now = (channels // 2, height, side) if level < levels - 1 and following else now
    size = shape[0] * shape[1] * shape[2]
    return LogProb(Flow(whole, StandardNormal([size])))


FAMILIES = {
    "RQ-NSF (AR)": Family(autoregressive_splines, (3, 5), flattened=(1, 2)),
    "RQ-NSF (AR), 16 bins": Family(partial(autoregressive_splines, bins=16), (2,)),
    "RQ-NSF (C)": Family(coupling_splines, (5,), flattened=(2,)),
    "MAF": Family(masked_affine, (3, 5), flattened=(3, 5)),
    "Glow": Family(glow, (4,), rank=3),
}
