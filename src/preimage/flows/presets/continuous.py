"""Flows in continuous time."""

from __future__ import annotations

from collections.abc import Sequence

from preimage.bijection import Bijection
from preimage.domains import Reals
from preimage.flows.bases import Normal
from preimage.flows.flow import Flow
from preimage.flows.presets.parts import chained, check_sizes
from preimage.flows.recipe import preset
from preimage.layers import ActNorm, ExactTrace, HutchinsonTrace, NeuralODE, Trace, VelocityMLP


@preset
def ffjord(
    features: int,
    context: int = 0,
    transforms: int = 1,
    hidden_features: Sequence[int] = (64, 64),
    probes: int = 0,
    memory: str = "autograd",
) -> Flow:
    """Continuous flow: data move along a learnt velocity until they are normal.

    Trained by its density, or much faster by :func:`preimage.flows.fit_flow_matching`.

    Reference: Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019), FFJORD,
    https://arxiv.org/abs/1810.01367

    Args:
        features: number of features.
        context: size of the context; 0 for none.
        transforms: number of velocities, one after the other.
        hidden_features: widths of the velocity networks.
        probes: random directions of an unbiased log_det; 0 for the exact one, which costs ``features``
            derivatives.
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow.

    Raises:
        ValueError: a size is out of range.

    Cost: some seventy evaluations of a velocity, times the derivatives of the log_det.

    Example:
        >>> import torch
        >>> ffjord(2, hidden_features=(8,)).log_prob(torch.zeros(3, 2)).shape
        torch.Size([3])
    """
    check_sizes("ffjord", features=features, context=context, transforms=transforms)
    layers: list[Bijection] = [ActNorm(features)]
    for _ in range(transforms):
        trace: Trace = HutchinsonTrace(probes) if probes else ExactTrace()
        velocity = VelocityMLP(features, tuple(hidden_features), context)
        wanted = Reals(context) if context else None
        layers.append(NeuralODE(velocity, Reals(features), context_domain=wanted, trace=trace))
    return Flow(chained(layers, memory), Normal(features))
