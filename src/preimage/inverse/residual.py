"""The evidence of an answer: the residual of one forward pass, joined with what the steps know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.capture.interpret import evaluate
from preimage.certificate import Certificate, relative_residual
from preimage.inverse.packing import stacked


def certify(
    graph: Graph,
    inputs: Mapping[str, Tensor],
    known: Mapping[str, Tensor],
    steps: Certificate | None,
    tolerance: float,
) -> Certificate:
    """Run the network forward on an answer and compare.

    Args:
        graph: the captured network.
        inputs: the answer, by name of input.
        known: the values it was found from, by name.
        steps: evidence of the steps; its residual is replaced, everything else kept. None without any.
        tolerance: relative residual that counts as converged.
    """
    with torch.no_grad():
        values = evaluate(graph, inputs, known)
    residual = relative_residual(stacked(graph, values), stacked(graph, known).detach())
    converged = residual <= tolerance
    if steps is None:
        return Certificate(residual, converged)
    unknown = torch.full_like(residual, float("nan"))
    return replace(steps, residual=residual, converged=converged, error_bound=unknown)
