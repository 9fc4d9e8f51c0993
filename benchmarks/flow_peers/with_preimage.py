"""Presets of preimage, with nothing changed but sizes."""

from __future__ import annotations

from torch import nn

from flow_peers.contender import Builder, Family, Shape
from preimage import flows


def _vector(name: str, **more: int) -> Builder:
    def build(shape: Shape, transforms: int, width: int) -> nn.Module:
        return flows.PRESETS[name](shape[0], transforms=transforms, hidden_features=(width, width), **more)

    return build


def _glow(shape: Shape, transforms: int, width: int) -> nn.Module:
    return flows.glow(shape, levels=2, steps=transforms, hidden_features=(width, width))


FAMILIES = {
    "nsf": Family(_vector("nsf"), (3, 5), flattened=(1, 2)),
    "nsf, 16 bins": Family(_vector("nsf", bins=16), (2,)),
    "nsf_coupling": Family(_vector("nsf_coupling"), (5,), flattened=(2,)),
    "maf": Family(_vector("maf"), (3, 5), flattened=(3, 5)),
    "glow": Family(_glow, (4,), rank=3),
}
