"""normflows: spline flows, masked autoregressive flows, and Glow over several scales."""

from __future__ import annotations

from functools import partial

import normflows
from normflows import flows
from torch import Tensor, nn

from flow_peers.contender import Family, LogProb, Shape


class _MultiScale(LogProb):
    """Its method wants a class, which may be None."""

    def forward(self, x: Tensor) -> Tensor:
        return self.flow.log_prob(x, None)  # pyright: ignore[reportCallIssue]


def _flow(layers: list[nn.Module], features: int) -> nn.Module:
    base = normflows.distributions.DiagGaussian(features, trainable=False)
    return LogProb(normflows.NormalizingFlow(base, layers))


def autoregressive_splines(shape: Shape, transforms: int, width: int, bins: int = 8) -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range(transforms):
        layers += [
            flows.AutoregressiveRationalQuadraticSpline(shape[0], 2, width, num_bins=bins, tail_bound=5.0),
            flows.LULinearPermute(shape[0]),
        ]
    return _flow(layers, shape[0])


def coupling_splines(shape: Shape, transforms: int, width: int) -> nn.Module:
    layers: list[nn.Module] = []
    for number in range(transforms):
        layers += [
            flows.CoupledRationalQuadraticSpline(
                shape[0], 2, width, num_bins=8, tail_bound=5.0, reverse_mask=number % 2 == 1
            ),
            flows.LULinearPermute(shape[0]),
        ]
    return _flow(layers, shape[0])


def masked_affine(shape: Shape, transforms: int, width: int) -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range(transforms):
        layers += [
            flows.Reverse(flows.MaskedAffineAutoregressive(shape[0], width, num_blocks=2)),
            flows.Permute(shape[0], mode="swap"),
            flows.ActNorm(shape[0]),
        ]
    return _flow(layers, shape[0])


def glow(shape: Shape, transforms: int, width: int) -> nn.Module:
    levels = 2
    channels, height, side = shape
    bases, stages, merges = [], [], []
    for level in range(levels):
        steps = [
            flows.GlowBlock(channels * 2 ** (levels + 1 - level), width, split_mode="channel", scale=True)
            for _ in range(transforms)
        ]
        stages.append([*steps, flows.Squeeze()])
        if level > 0:
            merges.append(flows.Merge())
            latent = (
                channels * 2 ** (levels - level),
                height // 2 ** (levels - level),
                side // 2 ** (levels - level),
            )
        else:
            latent = (channels * 2 ** (levels + 1), height // 2**levels, side // 2**levels)
        bases.append(normflows.distributions.DiagGaussian(latent))
    return _MultiScale(normflows.MultiscaleFlow(bases, stages, merges, class_cond=False))


FAMILIES = {
    "NSF, autoregressive": Family(autoregressive_splines, (3, 5), flattened=(1, 2)),
    "NSF, autoregressive, 16 bins": Family(partial(autoregressive_splines, bins=16), (2,)),
    "NSF, coupling": Family(coupling_splines, (5,), flattened=(2,)),
    "MAF": Family(masked_affine, (3, 5), flattened=(3, 5)),
    "Glow": Family(glow, (4,), rank=3),
}
