"""zuko: autoregressive and coupling flows over vectors."""

from __future__ import annotations

from typing import Any

import zuko
from torch import Tensor, nn

from flow_peers.contender import Builder, Family, Shape


class _Lazy(nn.Module):
    """zuko's flows make a distribution when they are called."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: Tensor) -> Tensor:
        return self.flow().log_prob(x)


def _flow(kind: type[nn.Module], **more: Any) -> Builder:
    def build(shape: Shape, transforms: int, width: int) -> nn.Module:
        return _Lazy(kind(shape[0], transforms=transforms, hidden_features=(width, width), **more))

    return build


FAMILIES = {
    "NSF": Family(_flow(zuko.flows.NSF), (3, 5), flattened=(1, 2)),
    "NSF, 16 bins": Family(_flow(zuko.flows.NSF, bins=16), (2,)),
    "NSF, coupling": Family(_flow(zuko.flows.NSF, passes=2), (5,), flattened=(2,)),
    "MAF": Family(_flow(zuko.flows.MAF), (3, 5), flattened=(3, 5)),
}
