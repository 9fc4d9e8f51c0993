"""torchflows: autoregressive and coupling flows, and multi-scale flows over pictures."""

from __future__ import annotations

from typing import Any

from torch import nn
from torchflows.bijections.finite.autoregressive import architectures
from torchflows.flows import Flow

from flow_peers.contender import Builder, Family, LogProb, Shape


def _vectors(kind: type[Any]) -> Builder:
    def build(shape: Shape, transforms: int, width: int) -> nn.Module:
        settings = {"n_hidden": width, "n_layers": 3}
        return LogProb(Flow(kind(shape, n_layers=transforms, conditioner_kwargs=settings)))

    return build


FAMILIES = {
    "MaskedAutoregressiveRQNSF": Family(
        _vectors(architectures.MaskedAutoregressiveRQNSF), (3, 5), flattened=(1, 2)
    ),
    "CouplingRQNSF": Family(_vectors(architectures.CouplingRQNSF), (5,), flattened=(2,)),
    "MAF": Family(_vectors(architectures.MAF), (3, 5), flattened=(3, 5)),
}
