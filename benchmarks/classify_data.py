"""The data sets of the benchmarks of generative classifiers."""

import torch
from torch import Tensor

from preimage import datasets


def pictures(name: str, path: str | None = None) -> datasets.Dataset:
    """Fashion-MNIST (54,000 to train on, 6,000 to validate with, 10,000 to test on) or MNIST-5k."""
    if name == "fashion-mnist":
        return datasets.fashion_mnist() if path is None else datasets.fashion_mnist(path)
    return datasets.mnist_5k(path)


class Flipped(torch.utils.data.Dataset):
    """Pictures with their labels, every other one mirrored, at random: clothes have no side."""

    def __init__(self, x: Tensor, labels: Tensor) -> None:
        self.x, self.labels = x, labels

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x = self.x[index]
        return (x.flip(-1) if torch.rand(()) < 0.5 else x), self.labels[index]


class Moved(Flipped):
    """The same, also moved by some pixels in each direction."""

    def __init__(self, x: Tensor, labels: Tensor, farthest: int = 1) -> None:
        super().__init__(torch.nn.functional.pad(x, (farthest,) * 4), labels)
        self.moves, self.size = 2 * farthest + 1, x.shape[-2:]
        self.pixels = x[0].numel()

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, label = super().__getitem__(index)
        down, right = torch.randint(0, self.moves, (2,)).tolist()
        return x[:, down : down + self.size[0], right : right + self.size[1]], label
