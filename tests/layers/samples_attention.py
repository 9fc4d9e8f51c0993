"""Samples of the layers with attention."""

import torch
from torch import Tensor, nn

from preimage.layers import (
    AdditiveMap,
    AffineMap,
    Autoregressive,
    CausalTransformer,
    Coupling,
    InvertibleAttention,
    PositionPartition,
    ShiftScaleMap,
    TransformerNet,
    channel_transformer_coupling,
    jet,
    position_transformer_coupling,
    tarflow,
    tarflow_block,
)
from preimage.layers.elementwise.positive_scale import ExpScale
from preimage.testing import Sample

SMALL = {"width": 8, "heads": 2}


class _WithContext(nn.Module):
    """Queries and keys from tokens and a context vector."""

    def __init__(self, channels: int, outputs: int, context: int) -> None:
        super().__init__()
        self.queries = nn.Linear(channels, outputs // 2)
        self.keys = nn.Linear(channels, outputs // 2, bias=False)
        self.embedding = nn.Linear(context, outputs // 2)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        last = x.movedim(1, -1)
        queries = torch.tanh(self.queries(last) + self.embedding(context)[:, None])
        return torch.cat([queries, self.keys(last)], dim=-1).movedim(-1, 1)


SAMPLES = [
    Sample("invertible attention", lambda: InvertibleAttention(4, heads=2, width=3), free=(5,), perturb=0.8),
    Sample(
        "invertible attention, pictures, one channel kept",
        lambda: InvertibleAttention(3, keep=1, width=4),
        free=(2, 3),
        perturb=0.8,
    ),
    Sample(
        "invertible attention, context, gain up to 0.99",
        lambda: InvertibleAttention(
            3, keep=2, width=2, conditioner=_WithContext(2, 4, 2), bound=0.99, context=2
        ),
        free=(4,),
        perturb=0.8,
    ),
    Sample(
        "coupling, transformer over patches",
        lambda: channel_transformer_coupling((4, 2, 2), torch.tensor([True, False, True, False]), **SMALL),
    ),
    Sample(
        "coupling, transformer, context, additive",
        lambda: channel_transformer_coupling(
            (3, 4), torch.tensor([True, False, False]), AdditiveMap(), **SMALL, depth=2, context=2
        ),
    ),
    Sample(
        "coupling, transformer between positions, context",
        lambda: position_transformer_coupling((2, 2, 3), **SMALL, context=2),
    ),
    Sample(
        "coupling, positions, affine",
        lambda: Coupling(
            PositionPartition(torch.tensor([True, False, False, True, True, False])),
            TransformerNet(2, 4, (3,), 8, 1, 2),
            AffineMap(),
        ),
        free=(2,),
    ),
    Sample(
        "coupling, positions, shift and free scale",
        lambda: Coupling(
            PositionPartition.checkerboard(2, 3, first=False),
            TransformerNet(1, 2, (3,), 8, 1, 2),
            ShiftScaleMap(ExpScale()),
        ),
        free=(1,),
    ),
    Sample("jet", lambda: jet((1, 4, 4), patch=2, couplings=3, **SMALL), free=(1, 4, 4)),
    Sample("tarflow block", lambda: tarflow_block((2, 3), **SMALL, depth=2)),
    Sample(
        "tarflow block, context, additive",
        lambda: tarflow_block((2, 2, 2), AdditiveMap(), **SMALL, depth=1, context=2, order=[2, 0, 3, 1]),
    ),
    Sample(
        "tarflow block, three tokens together, context",
        lambda: tarflow_block((2, 5), **SMALL, depth=1, context=2, together=3),
    ),
    Sample(
        "tarflow block, all tokens together",
        lambda: Autoregressive(CausalTransformer(2, (2, 2), **SMALL, depth=1, together=4)),
    ),
    Sample(
        "tarflow, context",
        lambda: tarflow((1, 4, 4), patch=2, blocks=2, **SMALL, depth=1, context=2),
        free=(1, 4, 4),
    ),
]
