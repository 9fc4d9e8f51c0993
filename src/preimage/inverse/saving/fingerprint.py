"""What makes a network the same network: its inputs, its structure and its weights."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import torch
from torch import Tensor

from preimage.capture.graph import Graph


def fingerprint(graph: Graph) -> dict[str, Any]:
    """Hashes that tell networks apart, wherever they are run.

    Args:
        graph: the captured network.

    Returns:
        ``inputs``, the event shapes; ``structure`` and ``weights``, 64 hexadecimal digits each.

    Cost:
        One hash over the weights, about 1 s per gigabyte.
    """
    return {
        "inputs": [list(shape) for shape in graph.input_shapes],
        "structure": _structure(graph),
        "weights": _weights(graph),
    }


def _structure(graph: Graph) -> str:
    lines = [
        f"{node.name} {node.operation} {node.args} {dict(node.kwargs)} {node.shape}" for node in graph.nodes
    ]
    text = "\n".join([*lines, *graph.outputs])
    text = re.sub(r"device\([^)]*\)", "device", text)  # the same network on another device
    return hashlib.sha256(text.encode()).hexdigest()


def _weights(graph: Graph) -> str:
    found = hashlib.sha256()
    for name in sorted([*graph.tensors, *graph.constants]):
        tensor = graph.tensor(name)
        if tensor is not None:
            found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            found.update(_bytes(tensor))
    return found.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
