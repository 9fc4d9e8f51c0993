"""Samples of the structural layers and of couplings with the library's own networks."""

import torch
from torch import Tensor, nn

from preimage import Chain
from preimage.domains import Reals
from preimage.layers import (
    AdditiveMap,
    Affine,
    AmplitudePhase,
    ChannelPartition,
    Checkerboard,
    Concatenate,
    ConditionalMap,
    Conjugate,
    Coupling,
    Haar,
    LeakyReLU,
    LULinear,
    MaskPartition,
    MeanDifference,
    Parallel,
    ReorderParts,
    Reshape,
    ReversibleResidual,
    SlicePartition,
    Split,
    Squeeze,
    Subsample,
    Tap,
    TapLoss,
    TupleCoupling,
    factor_out,
)
from preimage.nets import MLP, ConvNet, ResidualNet
from preimage.testing import Sample


def _square_size(x: Tensor) -> Tensor:
    return x.flatten(1).square().sum(1)


def _two(*shapes: tuple[int, ...]):
    """Inputs of two or more tensors with these event shapes."""
    return lambda n: tuple(torch.randn(n, *shape) for shape in shapes)


def _turned() -> Conjugate:
    """Another map between a rotation and its inverse."""
    rotation = torch.linalg.qr(torch.randn(3, 3)).Q
    return Conjugate(LULinear.from_matrix(rotation), Chain(Affine(3), LeakyReLU(0.5)))


def _graph() -> Chain:
    """Select, branch, merge: a diamond of invertible nodes on three tensors."""
    return Chain(
        Split([2, 1, 2]),
        ReorderParts([2, 0, 1]),
        Parallel(Affine(2), Concatenate([2, 1])),
        TupleCoupling(Coupling(SlicePartition(3), MLP(1, 4, (4,), context=2), context=2)),
        Parallel(Chain(), LeakyReLU(0.5)),
        Concatenate([2, 3]),
    )


def _multi_scale() -> Chain:
    return factor_out(
        [Affine(4), Chain(Affine(2), LeakyReLU(0.5)), Affine(1)],
        [Split([2, 2]), Split([1, 1])],
    )


SAMPLES = [
    Sample("reshape", lambda: Reshape((2, 3), (6,))),
    Sample("reshape, a size computed", lambda: Reshape((4, 3), (2, -1, 2))),
    Sample("squeeze, signals", lambda: Squeeze((2,)), free=(2, 6)),
    Sample("squeeze, pictures", lambda: Squeeze(2), free=(1, 4, 6)),
    Sample("squeeze, blocks not square", lambda: Squeeze((2, 3)), free=(2, 2, 6)),
    Sample("pixel shuffle", lambda: Squeeze((1, 2)).inv, inputs=lambda n: torch.randn(n, 4, 3, 2)),
    Sample("haar, signals", Haar, free=(2, 6)),
    Sample("haar, pictures", lambda: Haar(2), free=(2, 4, 2)),
    Sample("mean and difference, signals", MeanDifference, free=(3, 4)),
    Sample("mean and difference, pictures", lambda: MeanDifference(2), free=(1, 2, 6)),
    Sample("subsample, even and odd samples", lambda: Subsample((2,)), free=(2, 6)),
    Sample("subsample, pictures", lambda: Subsample((2, 3)), free=(1, 4, 3)),
    Sample("checkerboard", Checkerboard, free=(2, 3, 4)),
    Sample("split", lambda: Split([2, 1, 3])),
    Sample("split, along time", lambda: Split([1, 4], dim=2), free=(2,)),
    Sample("concatenate", lambda: Concatenate([4, 1])),
    Sample("concatenate, pictures", lambda: Concatenate([1, 2]), free=(2, 2)),
    Sample("conjugate", _turned),
    Sample(
        "conjugate, context",
        lambda: Conjugate(Affine(2), ConditionalMap(2, MLP(3, 4, (8,)), context=3)),
    ),
    Sample("parallel", lambda: Parallel(Affine(2), Chain(), LeakyReLU(0.3)), inputs=_two((2,), (3,), (2, 2))),
    Sample(
        "parallel, context, several tensors a map",
        lambda: Parallel(Concatenate([1, 2]), ConditionalMap(2, MLP(3, 4, (8,)), context=3), Split([1, 1])),
    ),
    Sample("reorder parts", lambda: ReorderParts([2, 0, 1]), inputs=_two((2,), (3, 2), (1,))),
    Sample("graph of nodes", _graph),
    Sample("factor out", _multi_scale),
    Sample(
        "factor out, pictures",
        lambda: factor_out([Squeeze(2), Affine(2)], [Split([2, 2])]),
        free=(1, 2, 4),
    ),
    Sample(
        "tuple coupling",
        lambda: TupleCoupling(
            Coupling(ChannelPartition.alternating(3), MLP(2, 2, (8,), context=2), context=2)
        ),
    ),
    Sample(
        "reversible residual",
        lambda: ReversibleResidual(MLP(3, 2, (8,)), MLP(2, 3, (8,))),
        inputs=_two((2,), (3,)),
    ),
    Sample(
        "reversible residual, signals, context",
        lambda: ReversibleResidual(
            ConvNet(1, 2, (4,), dims=1, context=2), ConvNet(2, 1, (4,), dims=1, context=2), context=2
        ),
        inputs=_two((2, 4), (1, 4)),
    ),
    Sample("amplitude and phase", AmplitudePhase, free=(4,)),
    Sample("amplitude and phase, pictures", AmplitudePhase, free=(2, 2, 3)),
    Sample("tap", lambda: Tap("here"), free=(3,)),
    Sample("tap loss", lambda: TapLoss("size", _square_size), free=(3,)),
    Sample("conditional map", lambda: ConditionalMap(3, ResidualNet(2, 6, 8, 1), context=2)),
    Sample(
        "conditional map, pictures, shared by positions",
        lambda: ConditionalMap(2, MLP(3, 2, (8,)), AdditiveMap(), context=3),
        free=(2, 3),
    ),
    Sample(
        "conditional map, pictures as context",
        lambda: ConditionalMap(2, ConvNet(1, 4, (4,)), context=Reals(1, None, None)),
        free=(2, 3),
        context_free=(2, 3),
    ),
    Sample(
        "coupling, residual network, context",
        lambda: Coupling(SlicePartition(5), ResidualNet(2, 6, 8, 1, context=2), context=2),
    ),
    Sample(
        "coupling, signals, convolutions, context",
        lambda: Coupling(ChannelPartition.alternating(3), ConvNet(2, 2, (4,), dims=1, context=2), context=2),
        free=(4,),
    ),
    Sample(
        "coupling, pictures, convolutions",
        lambda: Coupling(SlicePartition(3), ConvNet(1, 4, (4,))),
        free=(2, 3),
    ),
    Sample(
        "coupling, even against odd samples, convolutions",
        lambda: Coupling(MaskPartition.alternating(5), ConvNet(2, 4, (4,), dims=1)),
        free=(2,),
    ),
    Sample(
        "coupling, a mask of its own",
        lambda: Coupling(
            MaskPartition(torch.tensor([[True, True, False], [False, True, False]])),
            nn.Sequential(nn.Flatten(), nn.Linear(6, 12), nn.Tanh(), nn.Unflatten(1, (4, 3))),
        ),
    ),
]
