"""Autoregressive flows whose maps are monotone networks."""

from __future__ import annotations

from collections.abc import Sequence

from preimage.bijection import Bijection
from preimage.flows.bases import Normal
from preimage.flows.flow import Flow
from preimage.flows.presets.autoregressive import masked
from preimage.flows.presets.parts import chained, check_sizes
from preimage.flows.recipe import preset
from preimage.layers import ActNorm, Autoregressive, DeepSigmoidMap, ElementMap, UnconstrainedMonotoneMap


@preset
def naf(
    features: int,
    context: int = 0,
    transforms: int = 3,
    hidden_features: Sequence[int] = (64, 64),
    units: Sequence[int] = (8, 8),
    memory: str = "autograd",
) -> Flow:
    """Neural autoregressive flow: every feature goes through a small monotone network of sigmoids.

    Reference: Huang, Krueger, Lacoste, Courville (2018), https://arxiv.org/abs/1804.00779

    Args:
        features: number of features.
        context: size of the context; 0 for none.
        transforms: number of autoregressive layers.
        hidden_features: widths of the networks that give the parameters.
        units: sigmoids in each layer of the monotone networks.
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow. Samples need a numerical inverse, which is guaranteed and certified.

    Raises:
        ValueError: a size is out of range.

    Cost: one network a transform for a density; for a sample ``features`` root searches.

    Example:
        >>> import torch
        >>> naf(3, transforms=1).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_sizes("naf", features=features, context=context, transforms=transforms)
    maps: list[ElementMap] = [DeepSigmoidMap(tuple(units)) for _ in range(transforms)]
    return _stacked(features, context, hidden_features, maps, memory)


@preset
def umnn(
    features: int,
    context: int = 0,
    transforms: int = 3,
    hidden_features: Sequence[int] = (64, 64),
    signal: int = 8,
    memory: str = "autograd",
) -> Flow:
    """Unconstrained monotone networks: every feature goes through the integral of a positive network.

    Reference: Wehenkel, Louppe (2019), https://arxiv.org/abs/1908.05164

    Args:
        features: number of features.
        context: size of the context; 0 for none.
        transforms: number of autoregressive layers.
        hidden_features: widths of the networks that give the parameters.
        signal: numbers that each integrand is told about the features before it.
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow. Samples need a numerical inverse, which is guaranteed and certified.

    Raises:
        ValueError: a size is out of range.

    Cost: the nodes of the integral times its network; for a sample ``features`` root searches.

    Example:
        >>> import torch
        >>> umnn(3, transforms=1).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_sizes("umnn", features=features, context=context, transforms=transforms, signal=signal)
    maps: list[ElementMap] = [UnconstrainedMonotoneMap(signal) for _ in range(transforms)]
    return _stacked(features, context, hidden_features, maps, memory)


def _stacked(
    features: int, context: int, hidden_features: Sequence[int], maps: list[ElementMap], memory: str
) -> Flow:
    layers: list[Bijection] = []
    for number, element_map in enumerate(maps):
        layer = Autoregressive(*masked(features, number, element_map, hidden_features, context))
        layers += [ActNorm(features), layer]
    return Flow(chained(layers, memory), Normal(features))
