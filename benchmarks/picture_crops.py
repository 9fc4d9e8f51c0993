"""32 x 32 crops of the packaged photographs, divided by source, for benchmarks of picture flows."""

import numpy as np
import torch
from torch import Tensor

from preimage import zoo

VALIDATION = ("astronaut", "lion", "bus")  # sources; the demo pictures of the zoo are the test set
SHORT_SIDE = 160


def reduced(photograph: zoo.Photograph) -> Tensor:
    """A photograph with a short side of about 160 pixels, means of whole blocks, uint8 ``(3, H, W)``."""
    whole = torch.from_numpy(photograph.read().astype(np.float32)).permute(2, 0, 1)  # (3, H, W)
    factor = max(1, round(min(whole.shape[1:]) / SHORT_SIDE))
    return torch.nn.functional.avg_pool2d(whole, factor).round().to(torch.uint8)


def random_crops(photographs: list[zoo.Photograph], count: int, seed: int) -> Tensor:
    """Crops at random places, as many of every source, half of them mirrored, ``(count, 3, 32, 32)``."""
    generator = np.random.default_rng(seed)
    pictures = [reduced(photograph) for photograph in photographs]
    crops = []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        top, left = (int(generator.integers(size - 31)) for size in picture.shape[1:])
        crop = picture[:, top : top + 32, left : left + 32]
        crops.append(crop.flip(2) if generator.random() < 0.5 else crop)
    return torch.stack(crops)


def tiled_crops(photographs: list[zoo.Photograph]) -> Tensor:
    """All crops side by side without overlap."""
    tiles = []
    for photograph in photographs:
        rows = reduced(photograph).unfold(1, 32, 32).unfold(2, 32, 32)  # (3, h, w, 32, 32)
        tiles.append(rows.permute(1, 2, 0, 3, 4).flatten(0, 1))
    return torch.cat(tiles)


def crops(count: int) -> dict[str, Tensor]:
    """Crops to train on, to validate with and to report on; no source is on two sides."""
    rest = list(zoo.pictures("calibration"))
    held = [photograph for photograph in rest if photograph.source in VALIDATION]
    train = [photograph for photograph in rest if photograph.source not in VALIDATION]
    return {
        "train": random_crops(train, count, seed=0),
        "validation": tiled_crops(held),
        "test": tiled_crops(list(zoo.pictures("demo"))),
    }
