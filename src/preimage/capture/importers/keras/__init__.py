"""Keras models as ordinary PyTorch modules."""

from __future__ import annotations

from typing import Any

from torch import nn

__all__ = ["from_keras"]


def from_keras(model: Any) -> nn.Module:
    """Not yet."""
    raise NotImplementedError(model)
