"""What the scripts that train picture decoders share: photographs, optimiser, schedule and averaged weights."""

import math
import random
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from decoder_crops import Crops
from decoder_pictures import entries, inputs, scales, stamps
from frozen_lite import Frozen
from preimage import zoo
from preimage.decoders.train import slowed

WARM_UP = 40


class Material:
    """The network that is decoded, crops of the training photographs, and the validation photographs.

    Args:
        debian: where the packages with photographs are unpacked.
    """

    def __init__(self, debian: Path) -> None:
        self.random = random.Random(0)
        self.zoo = zoo.load("efficientnet-lite0")
        self.frozen = Frozen(self.zoo)
        self.photographs = [scales(entry.read(debian)) for entry in entries("train")]
        self.crops = Crops(self.photographs, list(stamps(debian)), seed=0)
        held = inputs("validation", debian, self.zoo.preprocessing)
        self.held = torch.stack(list(held.values()))

    def inputs(self, count: int, side: int) -> Tensor:
        """Crops as the network wants them ``(count, 3, side, side)``."""
        x = self.zoo.preprocessing.from_unit(self.crops.draw(count, side))
        return x.contiguous(memory_format=torch.channels_last)


def optimiser_of(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """AdamW; the filters of spatial convolutions move more slowly."""
    groups = [{"params": [p], "share": slowed(p) if p.dim() == 4 else 1.0} for p in parameters]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), weight_decay=1e-3)


def set_rate(optimiser: torch.optim.Optimizer, peak: float, number: int, done: float) -> None:
    """A short rise to the peak, then half a cosine down to almost zero.

    Args:
        optimiser: of :func:`optimiser_of`.
        peak: largest rate.
        number: of steps so far.
        done: share of the time that has passed.
    """
    rate = peak * min(1, (number + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-6
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, slowest: float, number: int) -> None:
    """Move averaged weights towards the present ones, faster in the beginning.

    Args:
        average: the averaged weights.
        network: the present ones.
        slowest: share of the average that is kept late in training.
        number: of steps so far.
    """
    kept = min(slowest, 1 - 1 / ((number + 1) / 10 + 1))
    for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(weight, 1 - kept)
