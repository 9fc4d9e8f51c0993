"""What surjections from categories share: whole numbers in range, of the dtype of the noise."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.checks import reference_tensor, values_are_visible
from preimage.errors import DomainError, ShapeError
from preimage.layers.surjection.noise import Noise


def check_categories(where: str, x: Tensor, count: int) -> None:
    """Refuse what does not hold whole numbers from 0 to ``count - 1``."""
    if not isinstance(x, Tensor) or x.is_floating_point() or x.dtype == torch.bool:
        came = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ShapeError(f"{where}: x holds {came}, wanted whole numbers; write x.long()")
    if values_are_visible() and ((x < 0) | (x >= count)).any():
        raise DomainError(f"{where}: x must lie between 0 and {count - 1}, got {x.min()} to {x.max()}")


def dtype_of(noise: Noise) -> torch.dtype:
    """The dtype in which a noise draws."""
    like = reference_tensor(noise)
    return torch.get_default_dtype() if like is None else like.dtype
