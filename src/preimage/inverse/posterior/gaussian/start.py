"""What is known of an input without data: the batch norms remember how large its first features were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from preimage.capture.graph import Graph
from preimage.inverse.packing import Packing
from preimage.inverse.posterior.gaussian.gates import ROOT, Gates
from preimage.inverse.posterior.gaussian.linearise import mean_jacobian
from preimage.inverse.posterior.gaussian.normal import Normal, Observation
from preimage.inverse.posterior.gaussian.smoother import Recorded
from preimage.inverse.preimages.priors.gaussian import Gaussian
from preimage.inverse.preimages.priors.norm_statistics import norms_of
from preimage.inverse.smooth import is_spatial

if TYPE_CHECKING:
    from preimage.inverse.context import RuleContext

TRUST = 1e-3
"""Variance of a recorded mean, relative to the recorded variance."""

NEAR = 8192
"""Numbers of a value up to which its recorded statistics are read back to the input."""


def shape_of(graph: Graph) -> tuple[int, ...]:
    """Shape of one sample of the input; of several inputs side by side."""
    packing = Packing(graph)
    return packing.shapes[0] if len(packing.shapes) == 1 else (sum(map(_numbers, packing.shapes)),)


def written_down(prior: Gaussian, shape: tuple[int, ...], like: Tensor) -> Normal:
    """A prior with its covariance as a matrix.

    Args:
        prior: of the input.
        shape: of one sample.
        like: decides the device; numbers are in float64.
    """
    size = _numbers(shape)
    identity = torch.eye(size, dtype=torch.float64, device=like.device)
    rows = prior.metric.to(like.device)(identity.view(size, *shape)).reshape(size, size)
    mean = prior.mean.to(identity).expand(shape).reshape(1, size)
    return Normal(mean, (rows + rows.T) / 2)


def start(graph: Graph, like: Tensor) -> Normal:
    """The data-free prior: smooth where there are neighbours, with mean and size from the first batch norm.

    Where no batch norm stands near the input, its numbers have mean zero and are of size one.

    Args:
        graph: the captured network.
        like: decides dtype of the network and device.
    """
    shape = shape_of(graph)
    plain = Gaussian.smooth(shape) if is_spatial(shape) else Gaussian.standard(shape)
    normal = written_down(plain, shape, like)
    normal = Normal(normal.mean, normal.covariance / normal.variance.mean())
    first = _first_norm(graph)
    return normal if first is None else _sized(graph, first, normal, like)


def described(graph: Graph) -> str:
    """What the data-free prior was made from, in a few words."""
    if _first_norm(graph) is not None:
        return "what the batch norms remember"
    return "inputs of size one that are smooth" if is_spatial(shape_of(graph)) else "standard normal inputs"


def _first_norm(graph: Graph) -> str | None:
    """The first value before a batch norm from which the input's size can be read."""
    near = (name for name in norms_of(graph) if name in graph.order and graph.size(name) <= NEAR)
    return next(near, None)


def _sized(graph: Graph, name: str, normal: Normal, like: Tensor) -> Normal:
    """The mean and size of the input with which the value before a batch norm has its statistics."""
    mean, variance, _ = norms_of(graph)[name]
    target, spread = (_full(graph, name, part.to(normal.mean)) for part in (mean, variance))
    if graph.inputs == (name,):
        return normal.scaled(target[None], spread.sqrt())
    f = Gates(graph, {name: ROOT}).step(name, like)
    matrix = mean_jacobian(f, normal.mean, graph.size(name))
    with torch.no_grad():
        offset = f(normal.mean) - normal.mean @ matrix.T
    made = (matrix @ normal.covariance * matrix).sum(1).mean()
    scale = spread.mean() / made.clamp_min(torch.finfo(made.dtype).tiny)
    scaled = Normal(normal.mean, normal.covariance * scale)
    seen = Observation(matrix, target[None] - offset, (TRUST * spread).diag())
    return Normal(scaled.given(seen, torch.finfo(like.dtype).eps).mean, scaled.covariance)


def recorded(context: RuleContext, gates: Gates) -> dict[str, Recorded]:
    """Moments of the gates that batch norms remember."""
    found = {}
    for gate in gates.parents:
        prior = context.prior(gate)
        if prior is not None:
            shape = gates.graph.shape(gate)
            found[gate] = Recorded(*(part.expand(shape).flatten() for part in (prior.mean, prior.spread)))
    return found


def _full(graph: Graph, name: str, channel: Tensor) -> Tensor:
    """A number a channel as one a number of the value, ``(n,)``."""
    shape = graph.shape(name)
    return channel.view(-1, *[1] * (len(shape) - 1)).expand(shape).flatten()


def _numbers(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()
