"""A decoder from tensors that came out of a file: checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from preimage.errors import ModelFileError, PreimageError
from preimage.inverse.calibrate.decoder import Decoder

LONGEST = 64
"""Most numbers in a decoder's description."""


def rebuilt(
    state: Mapping[str, Tensor], input_shape: Sequence[int], tap_shape: Sequence[int], where: str
) -> Decoder:
    """A decoder from its ``state_dict``.

    Args:
        state: its tensors.
        input_shape, tap_shape: event shapes that it must have.
        where: for the message.

    Raises:
        ModelFileError: the tensors do not make a decoder of these shapes.
    """
    parts = _described(state.get("blueprint"), where)
    if parts[1:3] != [tuple(input_shape), tuple(tap_shape)]:
        raise ModelFileError(f"{where}: the decoder has shapes {parts[1:3]}, not those of the network")
    numbers = [*parts[0], *parts[3], *parts[4]]
    longest = max((*input_shape, *tap_shape, 1))
    if len(parts[0]) != 2 or len(parts[4]) != 2 or any(not 0 <= n <= max(longest, 16) for n in numbers):
        raise ModelFileError(f"{where}: the decoder's windows {parts} are impossible")
    finite = (t for name, t in state.items() if t.is_floating_point() and name != "ridges")
    if any(not bool(torch.isfinite(t).all()) for t in finite):  # a ridge may be infinite
        raise ModelFileError(f"{where}: the decoder holds NaN or infinity")
    try:
        return Decoder.from_state(state)
    except (PreimageError, RuntimeError, KeyError, ValueError, IndexError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelFileError(f"{where}: the tensors do not make a decoder: {reason}") from error


def _described(blueprint: Tensor | None, where: str) -> list[tuple[int, ...]]:
    """The five parts of a description, each led by its length."""
    if blueprint is None or blueprint.dim() != 1 or len(blueprint) > LONGEST or blueprint.is_floating_point():
        raise ModelFileError(f"{where}: the decoder has no description")
    values, parts = [int(v) for v in blueprint], []
    while values:
        if not 0 <= values[0] < len(values):
            raise ModelFileError(f"{where}: the decoder's description is broken")
        parts.append(tuple(values[1 : 1 + values[0]]))
        values = values[1 + values[0] :]
    if len(parts) != 5:
        raise ModelFileError(f"{where}: the decoder's description has {len(parts)} parts; 5 were wanted")
    return parts
