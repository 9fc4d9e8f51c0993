"""Samples of the normalisations that are bijections."""

import torch
from torch import nn

from preimage.layers import ActNorm, BatchNorm, EluScale, PositiveScale, TwiceSigmoidScale, WhiteningNorm
from preimage.testing import Sample


def _act_norm(features: int, *event: int, scale: PositiveScale | None = None) -> ActNorm:
    layer = ActNorm(features, scale)
    layer.initialise(2 + 0.7 * torch.randn(50, features, *event))
    return layer


def _batch_norm(features: int, *event: int) -> BatchNorm:
    layer = BatchNorm(features)
    layer(2 + 0.7 * torch.randn(50, features, *event))
    return layer.eval()


def _from_torch() -> BatchNorm:
    module = nn.BatchNorm2d(2)
    nn.init.uniform_(module.weight, -2, -0.5)
    module(torch.randn(20, 2, 3, 3))
    return BatchNorm.from_batch_norm(module)


def _whitening_norm(features: int, *event: int) -> WhiteningNorm:
    layer = WhiteningNorm(features)
    layer.initialise(2 + 0.7 * torch.randn(50, features, *event).cumsum(1))
    return layer


SAMPLES = [
    Sample("act norm", lambda: _act_norm(3)),
    Sample("act norm, pictures", lambda: _act_norm(2, 4, 4), free=(2, 3)),
    Sample("act norm, twice sigmoid", lambda: _act_norm(3, scale=TwiceSigmoidScale())),
    Sample("act norm, elu, sequences", lambda: _act_norm(2, 5, scale=EluScale()), free=(4,)),
    Sample("act norm, before the first batch", lambda: ActNorm(3).eval()),
    Sample("whitening norm", lambda: _whitening_norm(3)),
    Sample("whitening norm, pictures", lambda: _whitening_norm(2, 4, 4), free=(2, 3)),
    Sample("whitening norm, before the first batch", lambda: WhiteningNorm(3).eval()),
    Sample("batch norm", lambda: _batch_norm(3)),
    Sample("batch norm, sequences", lambda: _batch_norm(2, 5), free=(4,)),
    Sample("batch norm, from torch, pictures", _from_torch, free=(2, 3)),
]
