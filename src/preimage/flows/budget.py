"""A bound on the memory that building a model from a file may take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from preimage.errors import ModelFileError


class Budget(TorchDispatchMode):
    """Within it, no more numbers may be created altogether than were granted.

    Sizes are looked at before the memory is reserved, so that settings which ask for a terabyte fail at once.

    Args:
        numbers: how many.

    Raises:
        ModelFileError: an operation asks for more.

    Example:
        >>> with Budget(10):
        ...     torch.zeros(3, 3).sum().item()
        0.0
    """

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.left = numbers

    @classmethod
    def of_weights(cls, tensors: Mapping[str, Tensor]) -> Budget:
        """What a model with such weights may take while it is built.

        Besides its weights it holds masks and tables and draws numbers to start from; the masks of a spline
        flow with narrow networks are the most, two hundred truth values for each weight.
        """
        return cls(100_000 + 300 * sum(tensor.numel() for tensor in tensors.values()))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Take what a new tensor needs from the budget."""
        if args and _is_shape(args[0]):
            self._spend(math.prod(args[0]))
            return func(*args, **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not any(result is argument for argument in args):
            self._spend(result.numel() if result.untyped_storage().data_ptr() else 0)
        return result

    def _spend(self, numbers: int) -> None:
        self.left -= numbers
        if self.left < 0:
            raise ModelFileError("the settings of the file ask for more numbers than its weights hold")


def _is_shape(argument: Any) -> bool:
    return isinstance(argument, list | tuple | torch.Size) and all(isinstance(size, int) for size in argument)
