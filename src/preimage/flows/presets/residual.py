"""Flows of small steps away from the identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from preimage.bijection import Bijection
from preimage.flows.bases import Normal
from preimage.flows.flow import Flow
from preimage.flows.presets.parts import chained, check_sizes
from preimage.flows.recipe import preset
from preimage.layers import (
    ActNorm,
    ExactLogDet,
    LipschitzMLP,
    LogDet,
    OrthogonalDirections,
    Planar,
    Radial,
    Residual,
    RussianRoulette,
    Sylvester,
)

EXACT_UP_TO = 32  # features; above it the unbiased series costs less than a determinant


@preset
def residual_flow(
    features: int,
    context: int = 0,
    transforms: int = 8,
    hidden_features: Sequence[int] = (64, 64),
    bound: float = 0.97,
    memory: str = "autograd",
) -> Flow:
    """Residual flow: the identity plus contractions, with no restriction on which feature sees which.

    Reference: Chen, Behrmann, Duvenaud, Jacobsen (2019), https://arxiv.org/abs/1906.02735

    Args:
        features: number of features.
        context: size of the context; 0 for none.
        transforms: number of residual layers.
        hidden_features: widths of the contractions.
        bound: Lipschitz constant of every contraction, in (0, 1).
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow. Up to 32 features its log_det is exact, above that an unbiased estimate.

    Raises:
        ValueError: a size is out of range.

    Cost: a Jacobian a layer, or a few products with it; for a sample a fixed point a layer.

    Example:
        >>> import torch
        >>> residual_flow(3, transforms=1).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_sizes("residual_flow", features=features, context=context, transforms=transforms)

    def step() -> Bijection:
        log_det: LogDet = ExactLogDet() if features <= EXACT_UP_TO else RussianRoulette()
        net = LipschitzMLP(features, tuple(hidden_features), bound=bound, context=context)
        return Residual(net, log_det=log_det)

    return _stacked(features, transforms, step, memory)


@preset
def planar(
    features: int,
    context: int = 0,
    transforms: int = 16,
    hidden_features: Sequence[int] = (),
    memory: str = "autograd",
) -> Flow:
    """Planar flow: each step moves along one direction, by a function of one projection.

    Reference: Rezende, Mohamed (2015), https://arxiv.org/abs/1505.05770

    Args:
        features: number of features.
        context: size of the context; 0 for none.
        transforms: number of steps.
        hidden_features: not used: the steps have no networks. Here so that all presets take it.
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow.

    Raises:
        ValueError: a size is out of range.

    Cost: O(N * features) a step.

    Example:
        >>> import torch
        >>> planar(3, transforms=2).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_sizes("planar", features=features, context=context, transforms=transforms)
    return _stacked(features, transforms, lambda: Planar(features, context), memory)


@preset
def radial(
    features: int,
    context: int = 0,
    transforms: int = 16,
    hidden_features: Sequence[int] = (),
    memory: str = "autograd",
) -> Flow:
    """Radial flow: each step moves towards or away from one point.

    Reference: Rezende, Mohamed (2015), https://arxiv.org/abs/1505.05770

    Args:
        features, context, transforms, hidden_features, memory: as those of :func:`planar`.

    Returns:
        The flow.

    Raises:
        ValueError: a size is out of range.

    Cost: O(N * features) a step.

    Example:
        >>> import torch
        >>> radial(3, transforms=2).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_sizes("radial", features=features, context=context, transforms=transforms)
    return _stacked(features, transforms, lambda: Radial(features, context), memory)


@preset
def sylvester(
    features: int,
    context: int = 0,
    transforms: int = 8,
    hidden_features: Sequence[int] = (),
    directions: int = 0,
    memory: str = "autograd",
) -> Flow:
    """Sylvester flow: planar steps along several orthonormal directions at once.

    Reference: van den Berg, Hasenclever, Tomczak, Welling (2018), https://arxiv.org/abs/1803.05649

    Args:
        features, context, transforms, hidden_features, memory: as those of :func:`planar`.
        directions: number of directions of a step, at most ``features``; 0 for all.

    Returns:
        The flow.

    Raises:
        ValueError: a size is out of range.

    Cost: O(N * features * directions) a step.

    Example:
        >>> import torch
        >>> sylvester(3, transforms=2).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_sizes("sylvester", features=features, context=context, transforms=transforms)
    count = directions or features

    def step() -> Bijection:
        return Sylvester(OrthogonalDirections(features, count), context)

    return _stacked(features, transforms, step, memory)


def _stacked(features: int, transforms: int, step: Callable[[], Bijection], memory: str) -> Flow:
    layers: list[Bijection] = [ActNorm(features)]
    layers += [step() for _ in range(transforms)]
    return Flow(chained([*layers, ActNorm(features)], memory), Normal(features))
