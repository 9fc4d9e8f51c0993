"""Colour photographs that ship inside well-known packages, split by source file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from preimage.zoo.packages import find, locate
from preimage.zoo.reading import read_picture

Split = Literal["demo", "calibration"]


@dataclass(frozen=True)
class Photograph:
    """One packaged photograph.

    Args:
        name: short name.
        package: distribution that carries it.
        file: path inside the package.
        licence: what its package says about the rights in the picture.
        source: name of the scene; pictures of one scene are always on the same side of the split.
        split: ``"demo"`` pictures are shown and measured, ``"calibration"`` pictures estimate statistics.
    """

    name: str
    package: str
    file: str
    licence: str
    source: str
    split: Split

    @property
    def path(self) -> Path:
        """Where the file is; raises MissingExtraError when its package is not installed."""
        (folder,) = locate(self.package, purpose=f"photograph {self.name!r}")
        return folder / self.file

    def read(self) -> NDArray[np.uint8]:
        """The picture, ``(H, W, 3)`` of uint8."""
        return read_picture(self.path)


def pictures(split: Split | None = None) -> tuple[Photograph, ...]:
    """The packaged photographs, without reading them.

    The split is by source file, so that nothing shown has been calibrated on.

    Args:
        split: ``"demo"`` (shown), ``"calibration"`` (all others), or None for both.

    Returns:
        Photographs in a fixed order.

    Raises:
        MissingExtraError: a package that carries some of them is not installed; names the line that installs
            it.

    Cost: a look at the import path.

    Example:
        >>> from preimage import zoo
        >>> [p.name for p in zoo.pictures("demo")]
        ['chelsea', 'flower', 'quokka']
    """
    chosen = tuple(p for p in _PHOTOGRAPHS if split in (None, p.split))
    if not chosen:
        raise ValueError(f'split must be "demo", "calibration" or None; got {split!r}')
    packages = dict.fromkeys(p.package for p in chosen)
    if any(find(name) is None for name in packages):
        locate(*packages, purpose="packaged photographs")
    return chosen


_SKIMAGE = ("scikit-image", "data/")
_SKLEARN = ("scikit-learn", "datasets/images/")
_GRADIO = ("gradio", "media_assets/images/")
_CC0, _CC_BY = "CC0 by the photographer", "CC BY 2.0"
_PUBLIC = "public domain"
_UNSTATED = "as its package ({}); the package says nothing about the picture itself"


def _photo(
    where: tuple[str, str], file: str, licence: str, split: Split = "calibration", source: str = ""
) -> Photograph:
    package, folder = where
    name = Path(file).stem
    return Photograph(name, package, folder + file, licence, source or name, split)


_PHOTOGRAPHS = (
    _photo(_SKIMAGE, "chelsea.png", f"{_CC0} (Stefan van der Walt)", "demo"),
    _photo(_SKLEARN, "flower.jpg", f"{_CC_BY} (vultilion)", "demo"),
    _photo(("imgaug", ""), "quokka.jpg", _UNSTATED.format("MIT"), "demo"),
    _photo(("gradio", "test_data/"), "cheetah2.jpg", _UNSTATED.format("Apache-2.0")),
    _photo(_SKIMAGE, "coffee.png", f"{_CC0} (Rachel Michetti)"),
    _photo(_SKLEARN, "china.jpg", f"{_CC_BY} (danielbuechele)"),
    _photo(_SKIMAGE, "astronaut.png", f"{_PUBLIC} (NASA)"),
    _photo(_SKIMAGE, "rocket.jpg", f"{_PUBLIC} (SpaceX)"),
    _photo(_SKIMAGE, "motorcycle_left.png", "Middlebury 2014 stereo benchmark", source="motorcycle"),
    _photo(_SKIMAGE, "motorcycle_right.png", "Middlebury 2014 stereo benchmark", source="motorcycle"),
    _photo(_SKIMAGE, "retina.jpg", "CC0"),
    _photo(_SKIMAGE, "ihc.png", "no known copyright restrictions"),
    _photo(_SKIMAGE, "hubble_deep_field.jpg", f"{_PUBLIC} (NASA)"),
    _photo(_GRADIO, "cheetah.jpg", _UNSTATED.format("Apache-2.0")),
    _photo(_GRADIO, "cheetah1.jpg", _UNSTATED.format("Apache-2.0")),
    _photo(_GRADIO, "lion.jpg", _UNSTATED.format("Apache-2.0")),
    _photo(_GRADIO, "tower.jpg", _UNSTATED.format("Apache-2.0")),
    _photo(("ultralytics", "assets/"), "bus.jpg", _UNSTATED.format("AGPL-3.0")),
    _photo(("ultralytics", "assets/"), "zidane.jpg", _UNSTATED.format("AGPL-3.0")),
    _photo(("matplotlib", "mpl-data/sample_data/"), "grace_hopper.jpg", f"{_PUBLIC} (US Navy)"),
)
