"""How large an ONNX file, and what it asks for, may be."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from preimage.capture.importers.onnx.operation import Operation


@dataclass(frozen=True)
class Limits:
    """Bounds on files that may come from anywhere.

    Args:
        file_bytes: of the file, without its external data.
        tensor_bytes: of all constants together.
        elements: of any single tensor that the file asks to make from a shape.
        nodes: operations, subgraphs included.
    """

    file_bytes: int = 2 << 30
    tensor_bytes: int = 8 << 30
    elements: int = 1 << 28
    nodes: int = 50_000


LIMITS = Limits()


def check_elements(op: Operation, shape: Any, limits: Limits = LIMITS) -> None:
    """Refuse to make a tensor of an absurd size."""
    if isinstance(shape, tuple) and all(isinstance(n, int) for n in shape):
        wanted = prod(abs(n) for n in shape)
        if wanted > limits.elements or any(n < -1 for n in shape):
            op.refuse(f"it asks for a tensor of shape {shape}; at most {limits.elements} numbers are allowed")
