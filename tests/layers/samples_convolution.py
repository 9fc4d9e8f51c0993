"""Samples of the convolutions."""

import torch
from torch import nn

from preimage.layers import (
    AutoregressiveConvolution,
    CircularConvolution,
    CircularExponential,
    ConvolutionExponential,
    CosineTransform,
    EmergingConvolution,
    ExponentialKernels,
    InvertibleDownsampling,
    InvertibleUpsampling,
    TriangularKernels,
    block_cosine_transform,
)
from preimage.testing import Sample

SAMPLES = [
    Sample("block cosine transform", lambda: block_cosine_transform(2, (2, 3)), free=(4, 3)),
    Sample("block cosine transform, signals", lambda: block_cosine_transform(2, (5,)), free=(10,)),
    Sample("cosine transform", CosineTransform, free=(2, 3, 4)),
    Sample("cosine transform, signals", lambda: CosineTransform(1), free=(2, 7)),
    Sample("downsampling", lambda: InvertibleDownsampling(2, 2), free=(2, 4)),
    Sample("downsampling, signals", lambda: InvertibleDownsampling(2, (3,), ExponentialKernels), free=(6,)),
    Sample("downsampling, mixing channels", lambda: InvertibleDownsampling(2, (2, 1), groups=1), free=(4, 3)),
    Sample(
        "downsampling, any volume", lambda: InvertibleDownsampling(2, (1, 3), TriangularKernels), free=(2, 3)
    ),
    Sample("upsampling, volumes", lambda: InvertibleUpsampling(8, (2, 1, 2)), free=(1, 2, 1)),
    Sample(
        "upsampling, any volume", lambda: InvertibleUpsampling(8, 2, TriangularKernels, groups=1), free=(2, 1)
    ),
    Sample("circular convolution", lambda: CircularConvolution(2, 3), free=(3, 4)),
    Sample("circular convolution, signals", lambda: CircularConvolution(2, (4,)), free=(5,)),
    Sample("circular convolution, volumes", lambda: CircularConvolution(1, (1, 2, 3)), free=(2, 3, 3)),
    Sample(
        "circular convolution, groups, dilated",
        lambda: CircularConvolution(4, 2, groups=2, dilation=2),
        free=(2, 3),
    ),
    Sample(
        "circular convolution, shared",
        lambda: CircularConvolution.from_convolution(
            _dominant(nn.Conv1d(2, 2, 3, padding="same", padding_mode="circular"))
        ),
        free=(6,),
    ),
    Sample("circular exponential", lambda: CircularExponential(2, 3), free=(3, 4)),
    Sample(
        "circular exponential, signals, every channel alone",
        lambda: CircularExponential(3, (5,), groups=3),
        free=(4,),
    ),
    Sample(
        "circular exponential, kernel above the size", lambda: CircularExponential(2, (4, 5)), free=(2, 3)
    ),
    Sample("autoregressive convolution", lambda: AutoregressiveConvolution(2, 3), free=(3, 4)),
    Sample("autoregressive convolution, signals", lambda: AutoregressiveConvolution(3, (5,)), free=(6,)),
    Sample(
        "autoregressive convolution, volumes", lambda: AutoregressiveConvolution(1, (2, 2, 2)), free=(2, 2, 2)
    ),
    Sample(
        "autoregressive convolution, kernel above the size",
        lambda: AutoregressiveConvolution(2, (5, 4)),
        free=(2, 2),
    ),
    Sample(
        "autoregressive convolution, one channel",
        lambda: AutoregressiveConvolution(1, (2, 5), bias=False),
        free=(4, 3),
    ),
    Sample("emerging convolution", lambda: EmergingConvolution(2, 3), free=(3, 4)),
    Sample("emerging convolution, signals", lambda: EmergingConvolution(2, (3,)), free=(5,)),
    Sample("convolution exponential", lambda: ConvolutionExponential(2, 3), free=(3, 4)),
]


def _dominant(convolution: nn.Conv1d) -> nn.Conv1d:
    """With a centre that keeps the kernel far from singular."""
    with torch.no_grad():
        convolution.weight[:, :, 1] += 3 * torch.eye(2)
    return convolution
