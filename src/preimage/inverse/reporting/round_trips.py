"""Both round trips of an inverse, measured on its example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from preimage.capture.interpret import evaluate
from preimage.certificate import relative_residual
from preimage.inverse.packing import example_inputs
from preimage.inverse.reporting.report import RoundTrips
from preimage.inverse.values import bare, flat, several

if TYPE_CHECKING:
    from preimage.inverse.inverse import Inverse


def round_trips(inverse: Inverse, example: tuple[Tensor, ...]) -> tuple[RoundTrips, ...]:
    """From the network's output, data-free.

    Args:
        inverse: the inverse.
        example: inputs; standard normal ones are taken where it is constant or empty.

    Cost:
        One run of the inverse and two forward passes.
    """
    graph = inverse.graph
    x = example if _is_varied(example) else example_inputs(graph, inverse.network)
    with torch.no_grad():
        values = evaluate(graph, dict(zip(graph.inputs, x, strict=True)), graph.outputs)
    answer, certificate = inverse.data_free(bare(tuple(values[name] for name in graph.outputs)))
    trip = RoundTrips(
        tap=", ".join(graph.outputs),
        mode="data-free",
        there_and_back=relative_residual(_numbers(several(answer)), _numbers(x)).median().item(),
        back_and_there=certificate.residual.median().item(),
        converged=certificate.converged.double().mean().item(),
    )
    return (trip,)


def _numbers(values: tuple[Tensor, ...]) -> Tensor:
    return flat(v if v.is_floating_point() else v.double() for v in values)


def _is_varied(example: tuple[Tensor, ...]) -> bool:
    return bool(example) and all(bool((value != value.flatten()[0]).any()) for value in example)
