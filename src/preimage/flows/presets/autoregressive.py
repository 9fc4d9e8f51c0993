"""Masked autoregressive flows and their inverse."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from preimage.bijection import Bijection
from preimage.flows.bases import Normal
from preimage.flows.flow import Flow
from preimage.flows.presets.parts import chained, check_sizes, start
from preimage.flows.recipe import preset
from preimage.layers import ActNorm, AffineMap, Autoregressive, ElementMap, InverseAutoregressive
from preimage.nets import MaskedMLP


def masked(
    features: int, number: int, element_map: ElementMap, hidden_features: Sequence[int], context: int
) -> tuple[MaskedMLP, ElementMap]:
    """A masked network and its map; every other one runs through the features from the last to the first."""
    order = torch.arange(features) if number % 2 == 0 else torch.arange(features).flip(0)
    count = element_map.count
    return MaskedMLP(features, count, hidden_features, order=order, context=context), element_map


@preset
def maf(
    features: int,
    context: int = 0,
    transforms: int = 5,
    hidden_features: Sequence[int] = (64, 64),
    memory: str = "autograd",
) -> Flow:
    """Masked autoregressive flow: fast densities, and samples in one run of every network as well.

    Reference: Papamakarios, Pavlakou, Murray (2017), https://arxiv.org/abs/1705.07057

    Args:
        features: number of features.
        context: size of the context; 0 for none.
        transforms: number of autoregressive layers.
        hidden_features: widths of the networks.
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow; the first batch in training whitens the data and standardises the input of every layer.

    Raises:
        ValueError: a size is out of range.

    Cost: one network a transform for a density; for a sample the same arithmetic in ``features`` small steps.

    Example:
        >>> import torch
        >>> maf(3).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_sizes("maf", features=features, context=context, transforms=transforms)
    layers: list[Bijection] = [start(features)]
    for number in range(transforms):
        layer = Autoregressive(*masked(features, number, AffineMap(), hidden_features, context))
        layers += [ActNorm(features), layer]
    return Flow(chained(layers, memory), Normal(features))


@preset
def iaf(
    features: int,
    context: int = 0,
    transforms: int = 5,
    hidden_features: Sequence[int] = (64, 64),
    memory: str = "autograd",
) -> Flow:
    """Inverse autoregressive flow: samples with their densities in one run, for variational inference.

    Reference: Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016), https://arxiv.org/abs/1606.04934

    Args:
        features: number of features.
        context: size of the context; 0 for none.
        transforms: number of autoregressive layers.
        hidden_features: widths of the networks.
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow. It never sees data when it is trained by its own samples, so nothing in it starts from data.

    Raises:
        ValueError: a size is out of range.

    Cost: one network a transform for a sample; for the density of given data ``features`` small steps.

    Example:
        >>> samples, log_prob = iaf(3).rsample_and_log_prob(4)
        >>> samples.shape, log_prob.shape
        (torch.Size([4, 3]), torch.Size([4]))
    """
    check_sizes("iaf", features=features, context=context, transforms=transforms)
    layers: list[Bijection] = [
        InverseAutoregressive(*masked(features, number, AffineMap(), hidden_features, context))
        for number in range(transforms)
    ]
    return Flow(chained(layers, memory), Normal(features))
