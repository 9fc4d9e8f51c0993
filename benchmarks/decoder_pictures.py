"""The photographs that picture decoders are trained, checked and measured on, read from public packages.

decoder-pictures.txt lists them: split, package, path. Those of Debian's packages are read from where they are
installed, or from a folder into which the packages were unpacked; those of npm packages lie beside, under npm/.
docs/picture_prior.md names all packages and the commands that fetch them.

The split is by scene: no photograph of a scene under "test" is anywhere else. GCompris keeps its photographs inside
resource files; ``file.rcc#12`` is the thirteenth WebP picture in one, ``file.rcc#@999`` the one at byte 999.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from preimage import zoo

LIST = Path(__file__).parent / "decoder-pictures.txt"
STAMPS = "usr/share/tuxpaint/stamps"
NO_OBJECTS = re.compile("symbols|cartoon|flags|mirror|music/|hanukkah|roadsigns|sql")
STAMP_SIDE, SMALLEST_STAMP = 180, 40
SCALES = (224, 280, 352, 448)  # short sides at which a training photograph is kept

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Entry:
    """A line of the list: where a photograph is, and what it may be used for."""

    split: str
    package: str
    path: str

    @property
    def name(self) -> str:
        """Short."""
        stem = Path(self.path.replace("#", "-")).name
        return re.sub(r"\.(rcc-)?|jpe?g$|png$", lambda m: "-" if m.group(1) else "", stem)

    def read(self, debian: Path) -> Picture:
        """The picture, ``(H, W, 3)``."""
        if self.package == "zoo":
            (found,) = (p for p in zoo.pictures() if p.name == self.path)
            return found.read()
        file, _, number = self.path.partition("#")
        source = _inside(debian / file, number) if number else debian / file
        with Image.open(source) as image:
            return np.asarray(image.convert("RGB"))


def entries(*splits: str) -> list[Entry]:
    """The photographs of some splits: ``train``, ``validation``, ``test``."""
    lines = (line.split(maxsplit=2) for line in LIST.read_text().splitlines() if line)
    return [entry for entry in (Entry(*parts) for parts in lines) if entry.split in splits]


def inputs(split: str, debian: Path, preprocessing: zoo.Preprocessing) -> dict[str, Tensor]:
    """Name -> whole centre of the photograph as the network reads it, ``(3, H, W)``."""
    return {entry.name: preprocessing.preprocess(entry.read(debian)) for entry in entries(split)}


def scales(picture: Picture) -> list[Tensor]:
    """A photograph at all sizes that it has the pixels for, ``(3, h, w)`` of uint8, at most twice as long as wide."""
    found = []
    short = min(picture.shape[:2])
    for side in SCALES:
        if side == SCALES[0] or side <= 1.02 * short:
            size = [max(side, round(n * side / short)) for n in (picture.shape[1], picture.shape[0])]
            small = np.asarray(
                Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC, reducing_gap=4.0)
            )
            top, left = (max(0, (n - 2 * side) // 2) for n in small.shape[:2])
            part = small[top : top + 2 * side, left : left + 2 * side].copy()
            found.append(torch.from_numpy(part).permute(2, 0, 1))
    return found


def stamps(debian: Path) -> Iterator[Tensor]:
    """Cut-out objects with their opacity, ``(4, h, w)`` of uint8."""
    return cut_outs(debian / STAMPS)


def cut_outs(folder: Path) -> Iterator[Tensor]:
    """The PNG pictures of a folder with their opacity, ``(4, h, w)`` of uint8, without signs and cartoons."""
    for path in sorted(folder.rglob("*.png")):
        if NO_OBJECTS.search(str(path.relative_to(folder))):
            continue
        with Image.open(path) as image:
            object_ = image.convert("RGBA")
        object_.thumbnail((STAMP_SIDE, STAMP_SIDE), Image.Resampling.BICUBIC)
        if min(object_.size) >= SMALLEST_STAMP:
            yield torch.from_numpy(np.array(object_)).permute(2, 0, 1)


def _inside(file: Path, where: str) -> io.BytesIO:
    """A picture inside another file, by the number of a WebP picture or by its place."""
    data = file.read_bytes()
    if where.startswith("@"):
        return io.BytesIO(data[int(where[1:]) :])
    start = [m.start() for m in re.finditer(rb"RIFF.{4}WEBP", data, re.DOTALL)][int(where)]
    return io.BytesIO(data[start : start + int.from_bytes(data[start + 4 : start + 8], "little") + 8])
