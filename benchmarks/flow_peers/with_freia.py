"""FrEIA: affine couplings with soft permutations, for vectors and pictures."""

from __future__ import annotations

from FrEIA.framework import SequenceINN
from FrEIA.modules import AllInOneBlock, IRevNetDownsampling
from torch import Tensor, nn

from flow_peers.contender import Family, Shape, normal_log_prob


class _Sequence(nn.Module):
    """A sequence of invertible blocks under a normal distribution."""

    def __init__(self, blocks: SequenceINN) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, x: Tensor) -> Tensor:
        z, log_det = self.blocks(x)
        return normal_log_prob(z) + log_det


def vectors(shape: Shape, transforms: int, width: int) -> nn.Module:
    def subnet(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
        )

    blocks = SequenceINN(*shape)
    for _ in range(transforms):
        blocks.append(AllInOneBlock, subnet_constructor=subnet, permute_soft=shape[0] <= 128)
    return _Sequence(blocks)


def pictures(shape: Shape, transforms: int, width: int) -> nn.Module:
    def subnet(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(inputs, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, outputs, 3, padding=1),
        )

    blocks = SequenceINN(*shape)
    for _ in range(2):
        blocks.append(IRevNetDownsampling)
        for _ in range(transforms):
            blocks.append(AllInOneBlock, subnet_constructor=subnet, permute_soft=True)
    return _Sequence(blocks)


FAMILIES = {
    "AllInOneBlock": Family(vectors, (8, 12), flattened=(8,)),
    "AllInOneBlock, convolutions": Family(pictures, (4,), rank=3),
}
