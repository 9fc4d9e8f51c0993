"""Exceptions and warnings. Every message says what came, what was wanted and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class PreimageError(Exception):
    """Base class of every exception that this library raises on purpose."""


class NotInvertibleError(PreimageError):
    """The operation has no inverse of the kind that was asked for."""


class NotSupportedError(PreimageError, NotImplementedError):
    """Something was asked for that this method or map does not have, such as a second derivative."""


class NotConvergedError(PreimageError, RuntimeError):
    """An iterative inverse stopped before it reached its tolerance."""


class DomainError(PreimageError, ValueError):
    """A value lies outside the set on which the map, or its inverse, is defined.

    Args:
        message: which map, which values, which set.
        violation: how far each row lay outside, 0 for rows inside, a tensor ``(N,)`` where known.
    """

    def __init__(self, message: str, violation: Tensor | None = None) -> None:
        super().__init__(message)
        self.violation = violation


class ShapeError(PreimageError, ValueError):
    """A tensor has the wrong shape, dtype or device."""


class ContextError(PreimageError, TypeError):
    """A context is missing, superfluous, or of the wrong kind."""


class NonFiniteError(PreimageError, ArithmeticError):
    """A tensor holds NaN or infinity where finite numbers are needed."""


class CaptureError(PreimageError):
    """The model could not be turned into a graph."""


class UnknownTapError(PreimageError, KeyError):
    """No tap of this name exists in the captured network."""

    def __str__(self) -> str:  # KeyError would print the message in quotes
        return str(self.args[0]) if self.args else ""


class MissingExtraError(PreimageError, ImportError):
    """An optional package is not installed."""


class PictureError(PreimageError, ValueError):
    """A picture file cannot be read, or is larger than the limit."""


class DataFileError(PreimageError, ValueError):
    """A data file is missing, cannot be read, or does not hold what was asked for."""


class ModelFileError(PreimageError, ValueError):
    """A model file is broken, unsafe, too large, of another version, or belongs to another network."""


class OutputError(PreimageError, OSError):
    """A report or file cannot be written where it was asked for."""


class NumericalWarning(UserWarning):
    """A result is returned, but its certificate says that it should not be trusted."""
