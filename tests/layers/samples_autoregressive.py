"""Samples of the autoregressive layers."""

import torch
from torch import Tensor, nn

from preimage import Chain
from preimage.layers import (
    AdditiveMap,
    AffineMap,
    Autoregressive,
    ComposedMap,
    InverseAutoregressive,
    RationalQuadraticMap,
)
from preimage.nets import CausalNet, MaskedMLP, MaskedResidualNet
from preimage.testing import Sample

DIAMOND = torch.tensor([[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]], dtype=torch.bool)


class CausalConvolution(nn.Module):
    """Two causal convolutions over time, with a context at every position."""

    def __init__(self, channels: int, outputs: int, context: int = 0) -> None:
        super().__init__()
        self.first, self.last = nn.Conv1d(channels, 6, 2), nn.Conv1d(6, outputs, 2)
        self.embedding = nn.Linear(context, 6) if context else None

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        hidden = self.first(nn.functional.pad(x, (2, -1)))
        if self.embedding is not None:
            hidden = hidden + self.embedding(context)[:, :, None]
        return self.last(nn.functional.pad(torch.tanh(hidden), (1, 0)))


SAMPLES = [
    Sample("autoregressive, affine", lambda: Autoregressive(MaskedMLP(4, 2, (8, 8)))),
    Sample(
        "autoregressive, additive, reversed order, context",
        lambda: Autoregressive(MaskedMLP(3, 1, (7,), order=[2, 1, 0], context=2), AdditiveMap()),
    ),
    Sample(
        "autoregressive, affine and spline",
        lambda: Autoregressive(
            MaskedMLP(3, 13, (8,)), ComposedMap(AffineMap(), RationalQuadraticMap(bins=4, bound=2.0))
        ),
    ),
    Sample(
        "autoregressive, fewer units than features",
        lambda: Autoregressive(MaskedMLP(6, 2, (3, 2), activation=nn.Tanh)),
    ),
    Sample(
        "autoregressive, three passes, context",
        lambda: Autoregressive(MaskedMLP(6, 2, (8, 5), order=[3, 0, 5, 1, 4, 2], passes=3, context=1)),
    ),
    Sample("autoregressive, adjacency", lambda: Autoregressive(MaskedMLP(4, 2, (9,), adjacency=DIAMOND))),
    Sample(
        "autoregressive, pictures, residual net, context",
        lambda: Autoregressive(MaskedResidualNet((2, 2, 2), 2, 8, context=3)),
    ),
    Sample("autoregressive, one feature, context", lambda: Autoregressive(MaskedMLP(1, 2, (4,), context=2))),
    Sample("inverse autoregressive", lambda: InverseAutoregressive(MaskedMLP(4, 2, (8,)))),
    Sample(
        "autoregressive, causal convolutions",
        lambda: Autoregressive(CausalNet(CausalConvolution(1, 2), (1, 4), 2)),
    ),
    Sample(
        "autoregressive, causal convolutions, context",
        lambda: Autoregressive(CausalNet(CausalConvolution(2, 4, 3), (2, 3), 2, passes=3, context=3)),
    ),
    Sample(
        "autoregressive chain",
        lambda: Chain(
            Autoregressive(MaskedMLP(3, 2, (6,))),
            InverseAutoregressive(MaskedMLP(3, 2, (6,), order=[2, 0, 1])),
        ),
    ),
]
