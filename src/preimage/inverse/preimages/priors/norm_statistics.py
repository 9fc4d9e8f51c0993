"""What batch norms remember of the training data, as a prior for preimages."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from preimage.capture.graph import Graph, Reference
from preimage.capture.interpret import evaluate
from preimage.errors import NotInvertibleError
from preimage.inverse.packing import Packing
from preimage.inverse.preimages.priors.objective import Objective

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot


@final
class NormStatistics(Objective):
    """What batch norm remembers of the training data: data-free, and the sharpest prior a network has.

    The mean over all batch norms and channels of the divergence ``((m - mu)^2 + v) / s^2 - 1 - log(v / s^2)``
    between the mean m and variance v over an input's places and the running mean mu and variance s^2, both
    variances with the batch norm's epsilon.

    Reference: H. Yin et al. (2020), https://arxiv.org/abs/1912.08795, match the same statistics.

    Args:
        inverse: of a network with batch norm.

    Raises:
        NotInvertibleError: for a network without batch norm.
    """

    def __init__(self, inverse: OneShot) -> None:
        graph = inverse.graph
        self.norms = norms_of(graph)
        if not self.norms:
            raise NotInvertibleError("the network has no batch norm whose statistics could serve as a prior")
        self.graph, self.packing = graph, Packing(graph)

    def value(self, x: Tensor) -> Tensor:
        """The mean divergence, ``(N,)``."""
        return self.of_values(evaluate(self.graph, self.packing.unpack(x), self.norms))

    def of_values(self, values: dict[str, Tensor]) -> Tensor:
        """The mean divergence of what stands before the batch norms, by name, ``(N,)``."""
        parts = [divergence(values[name], *moments) for name, moments in self.norms.items()]
        return torch.stack(parts).mean(0)


def divergence(value: Tensor, mean: Tensor, variance: Tensor, eps: float) -> Tensor:
    """How far the statistics over a value's places ``(N, C, *places)`` are from those remembered, ``(N,)``.

    A value without places, ``(N, C)``, is judged by its mean alone, the number itself.
    """
    places = value.flatten(2) if value.dim() > 2 else value[:, :, None]  # (N, C, places)
    variance = variance.to(places) + eps
    shift = (places.mean(2) - mean.to(places)).square() / variance
    if places.shape[2] == 1:
        return shift.mean(1)
    ratio = (places.var(2, correction=0) + eps) / variance
    return (shift + ratio - 1 - ratio.log()).mean(1)


def norms_of(graph: Graph) -> dict[str, tuple[Tensor, Tensor, float]]:
    """Name of the value before each batch norm -> its running mean, variance and epsilon."""
    found = {}
    for node in graph.nodes:
        if node.operation == "batch_norm" and node.inputs:
            mean, variance = (_tensor(graph, node.args[position]) for position in (3, 4))
            if mean is not None and variance is not None:
                found[node.inputs[0]] = (mean, variance, float(node.args[7]))
    return found


def _tensor(graph: Graph, value: object) -> Tensor | None:
    tensor = graph.tensor(value.name) if isinstance(value, Reference) else None
    return None if tensor is None else tensor.detach()
