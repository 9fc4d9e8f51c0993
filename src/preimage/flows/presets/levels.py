"""The levels of a multi-scale flow: steps of flow over pictures and signals, and what leaves between them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from preimage.bijection import Bijection, Chain
from preimage.domains import Reals
from preimage.flows.presets.parts import alternating, rotation
from preimage.layers import ActNorm, AffineMap, Coupling, SlicePartition, Split, Squeeze, VariationalUnitNoise
from preimage.nets import ConvNet, MapContextConvNet


@dataclass(frozen=True)
class ContextShape:
    """What the networks of a flow are told besides their input.

    Args:
        shape: empty for nothing, ``(size,)`` for a vector, ``(C, H, W)`` or ``(C, T)`` for maps.

    Example:
        >>> ContextShape((3, 32, 32)).domain.shape
        (3, None, None)
    """

    shape: tuple[int, ...]

    @property
    def domain(self) -> Reals | None:
        """The contexts that fit: maps may have any size in space."""
        if not self.shape:
            return None
        return Reals(self.shape[0], *[None] * (len(self.shape) - 1))

    def network(self, channels: int, outputs: int, widths: list[int], space: list[int]) -> nn.Module:
        """A network over maps of ``channels`` of the sizes ``space``, that also looks at the context."""
        dims = len(space)
        if len(self.shape) < 2:
            return ConvNet(channels, outputs, widths, dims=dims, context=sum(self.shape))
        stride = max(1, self.shape[1] // space[0])
        return MapContextConvNet(
            channels, outputs, widths, context_channels=self.shape[0], stride=stride, dims=dims
        )


def stage(channels: int, space: list[int], steps: int, widths: list[int], context: ContextShape) -> Chain:
    """Squeeze, then the steps of flow of one level, over ``channels`` of sizes ``space`` squeezed."""
    layers: list[Bijection] = [Squeeze([2] * len(space))]
    for number in range(steps):
        layers += [
            ActNorm(channels),
            rotation(channels),
            coupling(channels, space, number, widths, context),
        ]
    return Chain(*layers)


def coupling(
    channels: int, space: list[int], number: int, widths: list[int], context: ContextShape
) -> Coupling:
    """An affine coupling between alternating channels."""
    stay = alternating(channels, number)
    kept = int(stay.sum())
    net = context.network(kept, 2 * (channels - kept), widths, space)
    return Coupling(stay, net, AffineMap(), context=context.domain)


def split(channels: int, space: list[int], context: ContextShape) -> Chain:
    """Half of the channels leave, standardised by what a network expects of them from those that stay."""
    net = context.network(channels, 2 * channels, [max(16, channels)], space)
    prior = Coupling(
        SlicePartition(2 * channels, keep=channels), net, AffineMap(bound=4.0), context=context.domain
    )
    return Chain(prior, Split([channels, channels]))


def learnt_noise(shape: tuple[int, ...], steps: int, widths: list[int]) -> VariationalUnitNoise:
    """Noise within bins that a flow learns, given the picture or signal ``(C, ...)`` in the bins."""
    space = [size // 2 for size in shape[1:]]
    channels, seen = shape[0] * 2 ** len(space), ContextShape(shape)
    squeeze = Squeeze([2] * len(space))
    layers: list[Bijection] = [squeeze]
    for number in range(steps):
        layers += [rotation(channels), coupling(channels, space, number, widths, seen)]
    return VariationalUnitNoise(Chain(*layers, squeeze.inv))
