"""The flows that couplings began with."""

from __future__ import annotations

from collections.abc import Sequence

from preimage.bijection import Bijection
from preimage.flows.bases import Logistic, Normal
from preimage.flows.flow import Flow
from preimage.flows.presets.parts import chained, check_sizes, check_two_features, vector_coupling
from preimage.flows.recipe import preset
from preimage.layers import ActNorm, AdditiveMap, AffineMap, Diagonal


@preset
def nice(
    features: int,
    context: int = 0,
    transforms: int = 4,
    hidden_features: Sequence[int] = (64, 64),
    memory: str = "autograd",
) -> Flow:
    """NICE: additive couplings and one diagonal scaling, with logistic latents.

    Reference: Dinh, Krueger, Bengio (2015), https://arxiv.org/abs/1410.8516

    Args:
        features: number of features, 2 or more.
        context: size of the context; 0 for none.
        transforms: number of couplings.
        hidden_features: widths of the networks.
        memory: ``"autograd"`` or ``"reversible"``, see :class:`preimage.Chain`.

    Returns:
        The flow; the first batch in training standardises its input.

    Raises:
        ValueError: a size is out of range.

    Cost: one network a transform, in either direction.

    Example:
        >>> import torch
        >>> nice(3).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_two_features("nice", features)
    check_sizes("nice", context=context, transforms=transforms)
    layers: list[Bijection] = [ActNorm(features)]
    widths = list(hidden_features)
    layers += [vector_coupling(features, i, AdditiveMap(), widths, context) for i in range(transforms)]
    return Flow(chained([*layers, Diagonal(features)], memory), Logistic(features))


@preset
def realnvp(
    features: int,
    context: int = 0,
    transforms: int = 8,
    hidden_features: Sequence[int] = (64, 64),
    memory: str = "autograd",
) -> Flow:
    """Real NVP for vectors: affine couplings with normalisation between them.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), https://arxiv.org/abs/1605.08803

    Args:
        features: number of features, 2 or more.
        context: size of the context; 0 for none.
        transforms: number of couplings.
        hidden_features: widths of the networks.
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow.

    Raises:
        ValueError: a size is out of range.

    Cost: one network a transform, in either direction.

    Example:
        >>> import torch
        >>> realnvp(3, context=2).sample(4, torch.zeros(1, 2)).shape
        torch.Size([4, 1, 3])
    """
    check_two_features("realnvp", features)
    check_sizes("realnvp", context=context, transforms=transforms)
    layers: list[Bijection] = []
    for number in range(transforms):
        coupling = vector_coupling(features, number, AffineMap(), list(hidden_features), context)
        layers += [ActNorm(features), coupling]
    return Flow(chained(layers, memory), Normal(features))
