"""Crops of photographs, from which the calibrated inverses are estimated."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from preimage.errors import PictureError
from preimage.zoo import Preprocessing


def crops(
    pictures: Mapping[str, NDArray[np.uint8]], preprocessing: Preprocessing, each: int = 24, seed: int = 0
) -> tuple[Tensor, tuple[str, ...]]:
    """Random square crops of every picture, half of them mirrored, together with where each came from.

    Sides are between 35 and 100 percent of the picture's shorter side. The first crop of every picture is its
    whole centre. Crops of one picture belong to one group: whatever is chosen on held-out data must hold out
        whole groups.

    Args:
        pictures: name to array ``(H, W, 3)`` of uint8.
        preprocessing: of the network.
        each: crops per picture, at least 1.
        seed: of the random generator.

    Returns:
        Inputs ``(len(pictures) * each, C, H, W)`` and the name of the picture that each came from.

    Raises:
        PictureError: there is no picture.

    Cost: one resize a crop.

    Example:
        >>> import numpy as np
        >>> from preimage.zoo import Preprocessing
        >>> half = Preprocessing(16, 16, (127.0,) * 3, (128.0,) * 3)
        >>> x, groups = crops({"night": np.zeros((40, 60, 3), dtype=np.uint8)}, half, each=3)
        >>> tuple(x.shape), groups
        ((3, 3, 16, 16), ('night', 'night', 'night'))
    """
    if not pictures:
        raise PictureError("calibration needs at least one picture; got none")
    generator = np.random.default_rng(seed)
    inputs, groups = [], []
    for name, picture in pictures.items():
        views = [picture, *(_random_crop(picture, generator) for _ in range(each - 1))]
        inputs += [preprocessing.preprocess(view) for view in views]
        groups += [name] * each
    return torch.stack(inputs), tuple(groups)


def _random_crop(picture: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    side = max(1, round(generator.uniform(0.35, 1.0) * min(height, width)))
    top = int(generator.integers(0, height - side + 1))
    left = int(generator.integers(0, width - side + 1))
    crop = picture[top : top + side, left : left + side]
    return crop[:, ::-1] if generator.random() < 0.5 else crop
