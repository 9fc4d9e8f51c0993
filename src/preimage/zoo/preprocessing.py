"""From a photograph to what a network reads, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from preimage.errors import ShapeError
from preimage.zoo.reading import pillow


@dataclass(frozen=True)
class Preprocessing:
    """Centre crop to the network's aspect, bicubic resize, then ``x = (pixel - mean) / std``.

    Args:
        height: rows that the network reads.
        width: columns that the network reads.
        mean: per channel, in pixel units 0..255; three values for colour, one for grey networks.
        std: per channel, in pixel units, positive.

    Cost: one resize.

    Example:
        >>> import numpy as np
        >>> from preimage.zoo import Preprocessing
        >>> half = Preprocessing(4, 4, mean=(127.0,) * 3, std=(128.0,) * 3)
        >>> x = half.preprocess(np.full((6, 8, 3), 255, dtype=np.uint8))
        >>> tuple(x.shape), float(x.max())
        ((3, 4, 4), 1.0)
        >>> int(half.to_picture(x).min())
        255
    """

    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3) or min(self.std) <= 0:
            raise ShapeError(
                f"mean and std need one or three entries each and std must be positive; got mean={self.mean},"
                f" std={self.std}"
            )

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Shape of a batch of one, ``(1, C, H, W)``."""
        return (1, len(self.mean), self.height, self.width)

    @property
    def box(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest input that a picture can give, each ``(C, 1, 1)``."""
        mean, std = self._constants(torch.empty(0))
        return -mean / std, (255 - mean) / std

    def preprocess(self, picture: NDArray[np.uint8]) -> Tensor:
        """What the network reads for one picture.

        Args:
            picture: ``(H, W, 3)`` of uint8, any size.

        Returns:
            float32 tensor ``(C, height, width)``.

        Raises:
            ShapeError: the picture is not ``(H, W, 3)`` of uint8.
        """
        return self.from_unit(self.to_unit_input(picture))

    def to_unit_input(self, picture: NDArray[np.uint8]) -> Tensor:
        """The cropped and resized picture itself, ``(C, height, width)`` in 0..1."""
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
            raise ShapeError(f"a picture is (H, W, 3) of uint8; got {picture.shape} of {picture.dtype}")
        image = pillow()
        whole = image.fromarray(np.ascontiguousarray(picture))
        if len(self.mean) == 1:
            whole = whole.convert("L")
        size = (self.width, self.height)
        resized = whole.resize(size, image.Resampling.BICUBIC, box=self._crop(*whole.size))
        values = torch.from_numpy(np.array(resized)).view(self.height, self.width, -1)
        return values.permute(2, 0, 1).contiguous().float() / 255

    def to_unit(self, x: Tensor) -> Tensor:
        """Network input ``(..., C, H, W)`` to picture values in 0..1, clipped to what a picture can show."""
        mean, std = self._constants(x)
        return ((x * std + mean) / 255).clamp(0, 1)

    def from_unit(self, picture: Tensor) -> Tensor:
        """Picture values in 0..1, ``(..., C, H, W)``, to network input."""
        mean, std = self._constants(picture)
        return (picture * 255 - mean) / std

    def to_picture(self, x: Tensor) -> NDArray[np.uint8]:
        """Network input to a picture that can be shown.

        Args:
            x: ``(C, H, W)``.

        Returns:
            ``(H, W, 3)`` of uint8; values outside the picture range are clipped, NaN becomes mid-grey.
        """
        unit = self.to_unit(x.detach().cpu().float()).nan_to_num(0.5)
        return (unit * 255).round().byte().expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()

    def _constants(self, like: Tensor) -> tuple[Tensor, Tensor]:
        kind = {"dtype": torch.promote_types(like.dtype, torch.float32), "device": like.device}
        mean, std = torch.tensor(self.mean, **kind), torch.tensor(self.std, **kind)
        return mean.view(-1, 1, 1), std.view(-1, 1, 1)

    def _crop(self, width: int, height: int) -> tuple[float, float, float, float]:
        scale = min(width / self.width, height / self.height)
        # Rounding must not push the box outside the picture, which Pillow refuses.
        across, down = min(scale * self.width, width), min(scale * self.height, height)
        left, top = (width - across) / 2, (height - down) / 2
        return (left, top, min(left + across, width), min(top + down, height))
