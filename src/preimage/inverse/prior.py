"""What batch norm tells about the values around it, without any data.

A mean and a spread for each channel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Node, Reference, references
from preimage.capture.interpret import run_node

_POINTS = 64


@dataclass(frozen=True)
class Prior:
    """Mean and standard deviation of a value, broadcastable to its event shape; both in float64."""

    mean: Tensor
    spread: Tensor


def priors(graph: Graph) -> dict[str, Prior]:
    """First two moments of the values in a network as its batch norms recorded them in training.

    A batch norm's input has the running statistics; its output has mean ``bias`` and spread ``|weight|``.
    Elementwise operations are integrated against the normal distribution with these moments, sums add means
    and variances. Values that no batch norm informs are absent.

    Reference: the statistics are those that Yin et al. (2020), https://arxiv.org/abs/1912.08795, match in
    their loss; here they serve as a closed-form prior.

    Args:
        graph: the captured network.

    Returns:
        Value name -> prior.

    Cost:
        A 64-point quadrature for each elementwise operation and channel; milliseconds.
    """
    found: dict[str, Prior] = {}
    for node in graph.nodes:
        if node.inputs and not node.parts:
            prior = _prior_of(graph, node, found)
            if prior is not None:
                found[node.name] = prior
    return found


def _prior_of(graph: Graph, node: Node, found: dict[str, Prior]) -> Prior | None:
    if node.operation == "batch_norm":
        return _after_norm(graph, node, found)
    known = [found[name] for name in node.inputs if name in found]
    if len(known) != len(node.inputs):
        return None
    if node.operation == "add" and len(known) == 2 and len({p.mean.shape for p in known}) == 1:
        spread = torch.stack([p.spread.square() for p in known]).sum(0).sqrt()
        return Prior(known[0].mean + known[1].mean, spread)
    if len(known) == 1 and is_elementwise(graph, node):
        return _integrated(graph, node, known[0])
    return None


def _after_norm(graph: Graph, node: Node, found: dict[str, Prior]) -> Prior | None:
    weight, bias, mean, variance = (_tensor(graph, node, position) for position in (1, 2, 3, 4))
    if mean is None or variance is None:
        return None
    shape = (-1, *[1] * (len(node.shape) - 1))
    found.setdefault(node.inputs[0], Prior(mean.view(shape), variance.clamp_min(0).sqrt().view(shape)))
    ones = torch.ones_like(mean)
    return Prior(
        (torch.zeros_like(mean) if bias is None else bias).view(shape),
        (ones if weight is None else weight.abs()).view(shape),
    )


def _tensor(graph: Graph, node: Node, position: int) -> Tensor | None:
    value = node.args[position]
    tensor = graph.tensor(value.name) if isinstance(value, Reference) else None
    return None if tensor is None else tensor.detach().double()


def is_elementwise(graph: Graph, node: Node) -> bool:
    """Same shape in and out and no tensor operand besides the data: applied to each number alone."""
    others = [name for name in references((node.args, node.kwargs)) if name != node.inputs[0]]
    moving = node.operation in (
        "roll",
        "flip",
        "softmax",
        "layer_norm",
        "cumsum",
        "log_softmax",
        "group_norm",
    )
    return node.shape == graph.shape(node.inputs[0]) and not others and not moving and not _windowed(node)


def _windowed(node: Node) -> bool:
    return "pool" in node.operation or "conv" in node.operation or "norm" in node.operation


def _integrated(graph: Graph, node: Node, prior: Prior) -> Prior | None:
    """Moments of f(z) for normal z, by the midpoint rule on the quantiles."""
    quantile = (torch.arange(_POINTS, dtype=torch.float64) + 0.5) / _POINTS
    normal = math.sqrt(2) * torch.erfinv(2 * quantile - 1)
    grid = prior.mean.unsqueeze(0) + prior.spread.unsqueeze(0) * normal.view(-1, *[1] * prior.mean.dim()).to(
        prior.mean
    )
    try:
        values = run_node(graph, node, {node.inputs[0]: grid})
    except (RuntimeError, IndexError, KeyError):
        return None  # the operation needs the full shape after all
    if values.shape != grid.shape:
        return None
    return Prior(values.mean(0), values.std(0, correction=0))
