"""Decoders by name or by folder."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from preimage.decoders.picture_decoder import PictureDecoder, read
from preimage.errors import ModelFileError

ASSETS = Path(__file__).parent / "assets"


def names() -> tuple[str, ...]:
    """The names of the decoders that come with this library, those of the networks they were trained for.

    Example:
        >>> from preimage import decoders
        >>> decoders.names()
        ('efficientnet-lite0',)
    """
    return tuple(sorted(folder.name for folder in ASSETS.iterdir() if folder.is_dir()))


def load(name: str | PathLike[str]) -> PictureDecoder:
    """A picture decoder that comes with this library, or one from a folder.

    Args:
        name: one of :func:`names`, or a folder that :meth:`PictureDecoder.save` wrote.

    Returns:
        The decoder, in single precision.

    Raises:
        ModelFileError: there is no decoder of this name and no such folder, or its files are broken.

    Cost: reads the weights, a few megabytes.

    Example:
        >>> from preimage import decoders
        >>> decoders.load("efficientnet-lite0").taps[:2]
        ('stem', 'block 0')
    """
    if str(name) in names():
        return read(ASSETS / str(name))
    if not Path(name).is_dir():
        raise ModelFileError(
            f"no decoder is called {str(name)!r} and there is no such folder; known names:"
            f" {', '.join(names()) or 'none'}. Train one with preimage.decoders.train(inverse, pictures)"
        )
    return read(name)
