"""Keras models as ordinary PyTorch modules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torch import Tensor, nn

from preimage.errors import CaptureError, MissingExtraError

if TYPE_CHECKING:
    import keras

__all__ = ["from_keras"]


def from_keras(model: keras.Model) -> nn.Module:
    """Write a Keras 3 model as an ordinary module that reads and returns what the model does.

    Functional and Sequential models of any backend are walked layer by layer: convolutions, linear layers,
    norms and activations become the modules of PyTorch that mean the same, with copies of the weights.
    Inputs keep the layout that Keras has, ``(N, H, W, C)`` as a rule; between convolutions channels are
    stored first, so that no transposes stand between them. Subclassed models of one input need the torch
    backend and are used as they are.

    Args:
        model: a built ``keras.Model``.

    Returns:
        The network in evaluation mode, its modules named as the layers.

    Raises:
        CaptureError: a layer has no counterpart here, or a subclassed model has another backend.
        MissingExtraError: Keras is not installed.

    Cost:
        One copy of the weights.

    Example:
        >>> from_keras("model.keras")  # a path: Keras itself reads files
        Traceback (most recent call last):
        ...
        preimage.errors.CaptureError: got str; a keras.Model was wanted: keras.models.load_model reads files
    """
    if isinstance(model, (str, os.PathLike)):
        raise CaptureError(
            f"got {type(model).__name__}; a keras.Model was wanted: keras.models.load_model reads files"
        )
    try:
        import keras
    except ImportError as error:
        raise MissingExtraError(
            f"reading Keras models needs the package keras and its backend ({error}). Install with:\n"
            '    pip install "preimage[keras]"\nand set KERAS_BACKEND=torch'
        ) from error
    from preimage.capture.importers.keras.walk import functional_of, walk

    if not isinstance(model, keras.Model):
        raise CaptureError(f"got {type(model).__name__}; a keras.Model was wanted")
    if functional_of(model) is not None:
        return walk(model)
    if isinstance(model, nn.Module):
        return Called(model).eval()
    raise CaptureError(
        f"the Keras model {model.name!r} is subclassed and its backend is {keras.backend.backend()!r}; a"
        " Functional or Sequential model was wanted, or the torch backend (KERAS_BACKEND=torch)"
    )


class Called(nn.Module):
    """A subclassed Keras model with the torch backend, called in inference mode.

    Args:
        model: the model; its parameters are shared.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """What the model returns for inference."""
        return self.model(x, training=False)
