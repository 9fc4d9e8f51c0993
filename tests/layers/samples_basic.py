"""Samples of the basic layers and of the containers."""

import torch
from torch import Tensor, nn
from torch.distributions.transforms import TanhTransform

from preimage import Chain
from preimage.layers import (
    AdditiveMap,
    Affine,
    Bias,
    ChannelPartition,
    Coupling,
    Diagonal,
    FromTransform,
    LeakyReLU,
    MaskPartition,
    Permutation,
    SlicePartition,
)
from preimage.nets import MLP
from preimage.testing import Sample


class _ConvWithContext(nn.Module):
    """A conditioner for pictures with a context vector."""

    def __init__(self, channels: int, outputs: int, context: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, outputs, 3, padding=1)
        self.embedding = nn.Linear(context, outputs)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return torch.tanh(self.convolution(x) + self.embedding(context)[:, :, None, None])


def _chain() -> Chain:
    mask = torch.tensor([True, False, True, False])
    return Chain(
        Affine(4),
        Coupling(mask, MLP(2, 4, (8,))),
        Permutation([3, 1, 0, 2]),
        Coupling(~mask, MLP(2, 4, (8,), context=2), context=2),
        LeakyReLU(0.5),
    )


SAMPLES = [
    Sample("affine", lambda: Affine(3)),
    Sample("affine, pictures", lambda: Affine(2), free=(3, 2)),
    Sample("bias", lambda: Bias(3)),
    Sample("bias, per position", lambda: Bias((2, 3))),
    Sample("diagonal", lambda: Diagonal(3)),
    Sample("diagonal, sequences", lambda: Diagonal(2), free=(3,)),
    Sample("leaky relu", LeakyReLU, free=(4,)),
    Sample("permutation", lambda: Permutation([2, 0, 3, 1])),
    Sample("permutation, pictures", lambda: Permutation.shuffle(3), free=(2, 2)),
    Sample("coupling, affine", lambda: Coupling(torch.tensor([True, False, True]), MLP(2, 2, (8,)))),
    Sample(
        "coupling, additive, one kept of four",
        lambda: Coupling(SlicePartition(4, keep=1, first=False), MLP(1, 3, (8,)), AdditiveMap()),
    ),
    Sample(
        "coupling, affine, alternating, context",
        lambda: Coupling(ChannelPartition.alternating(5), MLP(3, 4, (8,), context=2), context=2),
    ),
    Sample(
        "coupling, all from the context",
        lambda: Coupling(SlicePartition(3, keep=0), MLP(0, 6, (8,), context=2), context=2),
    ),
    Sample(
        "coupling, checkerboard, context",
        lambda: Coupling(MaskPartition.checkerboard(3, 4), _ConvWithContext(2, 4, 3), context=3),
        free=(2,),
    ),
    Sample(
        "coupling, even against odd samples",
        lambda: Coupling(MaskPartition.alternating(5, first=False), nn.Conv1d(2, 4, 3, padding=1)),
        free=(2,),
    ),
    Sample("chain, context", _chain),
    Sample(
        "chain, reversible, context",
        lambda: Chain(*_chain(), memory="reversible"),
        exceptions={"compile": "one autograd node for the whole chain is a graph break on purpose"},
    ),
    Sample("inverted", lambda: LeakyReLU(0.2).inv, free=(3,)),
    Sample("nothing", Chain, free=(3,)),
    Sample(
        "from transform, tanh",
        lambda: FromTransform(TanhTransform()),
        free=(3,),
    ),
]
