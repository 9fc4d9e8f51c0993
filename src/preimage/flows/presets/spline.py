"""Neural spline flows, autoregressive and with couplings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from preimage.bijection import Bijection
from preimage.flows.bases import Normal
from preimage.flows.flow import Flow
from preimage.flows.presets.parts import (
    alternating,
    chained,
    check_sizes,
    check_two_features,
    rotation,
    start,
)
from preimage.flows.recipe import preset
from preimage.layers import (
    ActNorm,
    AffineMap,
    Autoregressive,
    ComposedMap,
    Coupling,
    RationalQuadraticMap,
)
from preimage.nets import MaskedResidualNet, ResidualNet


@preset
def nsf(
    features: int,
    context: int = 0,
    transforms: int = 5,
    hidden_features: Sequence[int] = (64, 64),
    bins: int = 8,
    bound: float = 3.0,
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
        hidden_features: widths of the residual blocks of each network, all equal.
        bins: bins of each spline, 2 or more.
        bound: the splines are the identity outside of [-bound, bound].
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow; the first batch in training whitens the data and standardises the input of every layer.

    Raises:
        ValueError: a size is out of range, or the widths differ.

    Cost: one network a transform for a density; for a sample the same arithmetic in ``features`` small steps.

    Example:
        >>> import torch
        >>> nsf(3, transforms=2).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_sizes("nsf", features=features, context=context, transforms=transforms)
    width, blocks = _residual_sizes("nsf", hidden_features)
    layers: list[Bijection] = [start(features)]
    for number in range(transforms):
        spline = _scaled_spline(bins, bound)
        order = torch.arange(features) if number % 2 == 0 else torch.arange(features).flip(0)
        net = MaskedResidualNet(
            features, spline.count, width, blocks, order=order, context=context, activation=nn.ReLU
        )
        _calm(net.first, transforms)
        layers += [ActNorm(features), Autoregressive(net, spline)]
    return Flow(chained(layers, memory), Normal(features))


@preset
def nsf_coupling(
    features: int,
    context: int = 0,
    transforms: int = 8,
    hidden_features: Sequence[int] = (64, 64),
    bins: int = 8,
    bound: float = 3.0,
    memory: str = "autograd",
) -> Flow:
    """Neural spline flow with couplings: densities and samples are equally fast.

    Every spline comes behind a scale and a shift from the same network.

    Reference: Durkan, Bekasov, Murray, Papamakarios (2019), RQ-NSF (C), https://arxiv.org/abs/1906.04032

    Args:
        features: number of features, 2 or more.
        context: size of the context; 0 for none.
        transforms: number of couplings, each behind a learnable linear map.
        hidden_features: widths of the residual blocks of each network, all equal.
        bins: bins of each spline, 2 or more.
        bound: the splines are the identity outside of [-bound, bound].
        memory: ``"autograd"`` or ``"reversible"``.

    Returns:
        The flow.

    Raises:
        ValueError: a size is out of range, or the widths differ.

    Cost: one network a transform, in either direction.

    Example:
        >>> import torch
        >>> nsf_coupling(3, transforms=2).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """
    check_two_features("nsf_coupling", features)
    check_sizes("nsf_coupling", context=context, transforms=transforms)
    width, blocks = _residual_sizes("nsf_coupling", hidden_features)
    layers: list[Bijection] = [start(features)]
    for number in range(transforms):
        spline = _scaled_spline(bins, bound)
        stay = alternating(features, number)
        kept = int(stay.sum())
        outputs = (features - kept) * spline.count
        net = ResidualNet(kept, outputs, width, blocks, context=context, activation=nn.ReLU)
        layers += [
            ActNorm(features),
            rotation(features),
            Coupling(stay, net, spline, context=context or None),
        ]
    return Flow(chained(layers, memory), Normal(features))


def _scaled_spline(bins: int, bound: float) -> ComposedMap:
    """Scale, shift and spline; more bins may be steeper, for they are there for jumps of the density."""
    return ComposedMap(AffineMap(), RationalQuadraticMap(bins, bound, steepness=4.0 * bins))


def _residual_sizes(where: str, hidden_features: Sequence[int]) -> tuple[int, int]:
    """Width and number of the blocks."""
    widths = list(hidden_features)
    if not widths or any(width != widths[0] for width in widths):
        raise ValueError(
            f"{where}: hidden_features is {tuple(widths)}, but blocks whose input is added to their output"
            " have one width; write for example (64, 64)"
        )
    return widths[0], len(widths)


@torch.no_grad()
def _calm(first: nn.Module, transforms: int) -> None:
    """Start the first layer of a network smaller in deep flows.

    The first steps move every transform in the same direction, by as much as the hidden units are large, and
    outliers make them large. Up to five transforms bear it; 64 would lose in one step all that they gained.
    """
    factor = min(1.0, (5 / transforms) ** 0.5)
    for parameter in first.parameters():
        parameter.mul_(factor)
