"""Picture files of unknown origin to arrays, with limits that hold before anything is decoded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from preimage.errors import MissingExtraError, PictureError

if TYPE_CHECKING:
    from PIL import Image

# Only decoders that run inside the process: no format that starts another program.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})


@dataclass(frozen=True)
class PictureLimits:
    """Upper bounds for one picture file, checked before it is decoded.

    Args:
        pixels: most pixels (width times height); the default is an 8000 by 8000 picture.
        file_bytes: largest file, in bytes.

    Example:
        >>> from preimage.zoo import PictureLimits
        >>> PictureLimits().pixels
        64000000
    """

    pixels: int = 64_000_000
    file_bytes: int = 256 * 2**20


def read_picture(path: str | Path, limits: PictureLimits | None = None) -> NDArray[np.uint8]:
    """Read one picture file as 8-bit RGB, upright, on white where it is transparent.

    Orientation tags are applied; grey, palette, CMYK and 16-bit pictures are converted; of an animation the
    first frame is taken.

    Args:
        path: the file.
        limits: bounds on the file and on the picture; the default ``PictureLimits()``.

    Returns:
        Array ``(H, W, 3)`` of uint8.

    Raises:
        PictureError: no such file, not a picture, damaged, or larger than the limits.
        MissingExtraError: Pillow is not installed.

    Cost: one decode; memory about 7 bytes a pixel.

    Example:
        >>> import tempfile, pathlib
        >>> from PIL import Image
        >>> from preimage.zoo import read_picture
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "grey.png"
        ...     Image.new("L", (4, 2), 200).save(path)
        ...     read_picture(path).shape
        (2, 4, 3)
    """
    path = Path(path)
    limits = limits or PictureLimits()
    _check_file(path, limits)
    with _clear_errors(path), _opened(path) as picture:
        _check_pixels(path, picture, limits)
        return np.asarray(_upright_rgb(picture))


def read_folder(
    folder: str | Path, limits: PictureLimits | None = None
) -> tuple[tuple[str, NDArray[np.uint8]], ...]:
    """Read every picture of a folder, sorted by name; folders inside it are not entered.

    Args:
        folder: the folder.
        limits: bounds per picture.

    Returns:
        Pairs of file stem and array ``(H, W, 3)`` of uint8. Files that are not pictures by suffix, and hidden
        ones such as ``._night.png``, are passed over.

    Raises:
        PictureError: no such folder, no picture in it, or a picture in it that cannot be read.

    Cost: one decode a picture.

    Example:
        >>> import tempfile, pathlib
        >>> from PIL import Image
        >>> from preimage.zoo import read_folder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (4, 2)).save(pathlib.Path(folder) / "night.png")
        ...     [name for name, picture in read_folder(folder)]
        ['night']
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise PictureError(f"{folder} is not a folder; give a folder that holds pictures")
    paths = sorted(p for p in folder.iterdir() if _is_picture(p))
    if not paths:
        raise PictureError(f"{folder} holds no picture; wanted at least one of {', '.join(sorted(SUFFIXES))}")
    names = [p.stem for p in paths]
    # Two files may share a stem (cat.png, cat.jpg): then the suffix tells them apart.
    return tuple((p.stem if names.count(p.stem) == 1 else p.name, read_picture(p, limits)) for p in paths)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _check_file(path: Path, limits: PictureLimits) -> None:
    if not path.is_file():
        raise PictureError(f"{path}: no such picture file")
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise PictureError(f"{path} has {size} bytes; the limit is {limits.file_bytes}. Give a smaller file")


def _check_pixels(path: Path, picture: Image.Image, limits: PictureLimits) -> None:
    width, height = picture.size
    if width * height > limits.pixels:
        raise PictureError(
            f"{path} is {width} x {height} pixels; the limit is {limits.pixels} pixels. Shrink it first, or"
            " raise PictureLimits(pixels=...)"
        )


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (PictureError, MissingExtraError):
        raise
    except pillow().DecompressionBombError as error:
        raise PictureError(f"{path} is enormous: {error}. Shrink it first") from error
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise PictureError(
            f"{path} cannot be read as a picture ({type(error).__name__}: {error}); wanted one of"
            f" {', '.join(FORMATS)}"
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    image = pillow()
    with warnings.catch_warnings():
        # Pillow's own warning (and error) about enormous pictures comes later than ours and says less.
        warnings.simplefilter("ignore")
        with image.open(path, formats=FORMATS) as picture:
            yield picture


def pillow():  # noqa: ANN201  (a module has no useful type)
    """The ``PIL.Image`` module, or a clear error when Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow. Install with:\n    pip install pillow") from error
    return Image


def _upright_rgb(picture: Image.Image) -> Image.Image:
    from PIL import ImageOps

    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith(("I", "F")):
        upright = _to_eight_bits(upright)
    if upright.has_transparency_data:
        return _on_white(upright)
    return upright.convert("RGB")


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the picture holds NaN or infinite values")
    highest = 65535.0 if picture.mode.startswith("I") else max(1.0, float(values.max(initial=0)))
    return pillow().fromarray(np.clip(np.rint(values * (255.0 / highest)), 0, 255).astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    image = pillow()
    layer = picture.convert("RGBA")
    return image.alpha_composite(image.new("RGBA", layer.size, "white"), layer).convert("RGB")
