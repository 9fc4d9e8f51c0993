"""Neural spline flows, autoregressive and with couplings."""

from __future__ import annotations

from collections.abc import Sequence

from preimage.bijection import Bijection
from preimage.flows.bases import Normal
from preimage.flows.flow import Flow
from preimage.flows.presets.autoregressive import masked
from preimage.flows.presets.parts import (
    chained,
    check_sizes,
    check_two_features,
    rotation,
    start,
    vector_coupling,
)
from preimage.flows.recipe import preset
from preimage.layers import ActNorm, AffineMap, Autoregressive, ComposedMap, RationalQuadraticMap


@preset
def nsf(
    features: int,
    context: int = 0,
    transforms: int = 5,
    hidden_features: Sequence[int] = (64, 64),
    bins: int = 8,
    bound: float = 4.0,
    memory: str = "autograd",
) -> Flow:
    """Autoregressive neural spline flow: monotone rational-quadratic splines, the default for tables.

    Every spline comes behind a scale and a shift from the same network, which move the data to where its bins
    are.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), RQ-NSF (AR), https://arxiv.org/abs/1906.04032

    Args:
        features: number of features.
        context: size of the context; 0 for none.
        transforms: number of autoregressive layers.
        hidden_features: widths of the networks.
        bins: bins of each spline, 2 or more.
        bound: the splines are the identity outside of [-bound, bound].
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow; the first batch in training whitens the data and standardises the input of every layer.

    Raises:
        ValueError: a size is out of range.

    Cost: one network a transform for a density; for a sample the same arithmetic in ``features`` small steps.

    Example:
        >>> import torch
        >>> nsf(3, transforms=2).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_sizes("nsf", features=features, context=context, transforms=transforms)
    layers: list[Bijection] = [start(features)]
    for number in range(transforms):
        spline = _scaled_spline(bins, bound)
        layers += [
            ActNorm(features),
            Autoregressive(*masked(features, number, spline, hidden_features, context)),
        ]
    return Flow(chained(layers, memory), Normal(features))


@preset
def nsf_coupling(
    features: int,
    context: int = 0,
    transforms: int = 8,
    hidden_features: Sequence[int] = (64, 64),
    bins: int = 8,
    bound: float = 4.0,
    memory: str = "autograd",
) -> Flow:
    """Neural spline flow with couplings: densities and samples are equally fast.

    Every spline comes behind a scale and a shift from the same network.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), RQ-NSF (C), https://arxiv.org/abs/1906.04032

    Args:
        features: number of features, 2 or more.
        context: size of the context; 0 for none.
        transforms: number of couplings, each behind a learnable linear map.
        hidden_features: widths of the networks.
        bins: bins of each spline, 2 or more.
        bound: the splines are the identity outside of [-bound, bound].
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow.

    Raises:
        ValueError: a size is out of range.

    Cost: one network a transform, in either direction.

    Example:
        >>> import torch
        >>> nsf_coupling(3, transforms=2).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_two_features("nsf_coupling", features)
    check_sizes("nsf_coupling", context=context, transforms=transforms)
    layers: list[Bijection] = [start(features)]
    for number in range(transforms):
        spline = _scaled_spline(bins, bound)
        coupling = vector_coupling(features, number, spline, list(hidden_features), context)
        layers += [ActNorm(features), rotation(features), coupling]
    return Flow(chained(layers, memory), Normal(features))


def _scaled_spline(bins: int, bound: float) -> ComposedMap:
    """Scale, shift and spline; more bins may be steeper, for they are there for jumps of the density."""
    return ComposedMap(AffineMap(), RationalQuadraticMap(bins, bound, steepness=4.0 * bins))
