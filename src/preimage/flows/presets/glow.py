"""Glow for vectors, signals and pictures."""

from __future__ import annotations

from collections.abc import Sequence

from preimage.bijection import Bijection, Chain
from preimage.flows.bases import Base, Joint, Normal
from preimage.flows.flow import Flow
from preimage.flows.levels import ClampedDequantisation
from preimage.flows.presets.levels import ContextShape, learnt_noise, split, stage
from preimage.flows.presets.parts import check_sizes, check_two_features, rotation, vector_coupling
from preimage.flows.recipe import preset
from preimage.layers import ActNorm, AffineMap, factor_out


@preset
def glow(
    event_shape: int | Sequence[int],
    context: int | Sequence[int] = 0,
    levels: int = 3,
    steps: int = 8,
    hidden_features: Sequence[int] = (128, 128),
    grey_levels: int = 0,
    noise_steps: int = 0,
    memory: str = "autograd",
) -> Flow:
    r"""Glow: normalisation, a learnable rotation of the channels and an affine coupling, again and again.

    Pictures and signals are squeezed before every level, and half of the channels leave after it, with a
    prior that a network computes from the half that stays: :math:`z \mapsto (z - \mu(h)) e^{-s(h)}`.

    Reference: Kingma, Dhariwal (2018), https://arxiv.org/abs/1807.03039; conditioned on pictures: Lu, Huang
    (2020), https://arxiv.org/abs/1905.13288; learnt noise: Ho et al. (2019), https://arxiv.org/abs/1902.00275

    Args:
        event_shape: number of features, or the shape of a signal ``(C, T)`` or picture ``(C, H, W)`` whose
            sizes of space are multiples of ``2 ** levels``.
        context: size of the context vector, 0 for none; or, for signals and pictures, the shape of a context
            of maps, ``(C, T)`` or ``(C, H, W)``, which may also come in other sizes: every level sees it
            resized.
        levels: number of levels L for signals and pictures; vectors have one.
        steps: steps of flow K at every level.
        hidden_features: widths of the networks.
        grey_levels: number of levels of data that are whole numbers, 256 for bytes, which are then
            dequantised inside the density; 0 for data that are real numbers.
        noise_steps: couplings of a flow that learns the noise of the dequantisation, which can make the
            bound tighter in long training; 0 for uniform noise. Sizes of space must be even.
        memory: ``"autograd"``, or ``"reversible"`` for memory that does not grow with the depth.

    Returns:
        The flow. With two levels or more its latents are a named tuple, ``level_1`` the first to leave.

    Raises:
        ValueError: a size is out of range, or space does not divide.

    Cost: ``levels * steps`` networks, in either direction.

    Example:
        >>> import torch
        >>> flow = glow((3, 8, 8), levels=2, steps=1, hidden_features=(8,))
        >>> flow.encode(torch.zeros(1, 3, 8, 8)).level_1.shape
        torch.Size([1, 6, 4, 4])
    """
    check_sizes("glow", levels=levels, steps=steps)
    shape = (event_shape,) if isinstance(event_shape, int) else tuple(event_shape)
    widths, told = list(hidden_features), _context(context, len(shape))
    if len(shape) == 1:
        flow = _vectors(shape[0], steps, widths, sum(told.shape), memory)
    else:
        _check_space(shape, levels)
        flow = _multi_scale(shape, levels, steps, widths, told, memory)
    flow.surjection = _spread(shape, grey_levels, noise_steps, widths)
    return flow


def _vectors(features: int, steps: int, widths: list[int], context: int, memory: str) -> Flow:
    check_two_features("glow", features)
    layers: list[Bijection] = []
    for number in range(steps):
        coupling = vector_coupling(features, number, AffineMap(), widths, context)
        layers += [ActNorm(features), rotation(features), coupling]
    return Flow(Chain(*layers, memory=memory), Normal(features))


def _multi_scale(
    shape: tuple[int, ...], levels: int, steps: int, widths: list[int], context: ContextShape, memory: str
) -> Flow:
    channels, space = shape[0], list(shape[1:])
    stages: list[Bijection] = []
    splits: list[Bijection] = []
    latents: list[Base] = []
    for level in range(levels):
        channels, space = channels * 2 ** len(space), [size // 2 for size in space]
        stages.append(stage(channels, space, steps, widths, context))
        if level < levels - 1:
            channels //= 2
            splits.append(split(channels, space, context))
            latents.append(Normal(channels, *space))
    latents.append(Normal(channels, *space))
    chain = Chain(*factor_out(stages, splits), memory=memory)
    if levels == 1:
        return Flow(chain, latents[0])
    names = [f"level_{number + 1}" for number in range(levels)]
    pairs = zip(reversed(names), reversed(latents), strict=True)  # the deepest latent comes first
    return Flow(chain, Joint(**dict(pairs)))


def _spread(
    shape: tuple[int, ...], grey_levels: int, noise_steps: int, widths: list[int]
) -> ClampedDequantisation | None:
    """Dequantisation with uniform or learnt noise, for data that are whole numbers."""
    check_sizes("glow", noise_steps=noise_steps + 1)
    if not grey_levels:
        return None
    if not noise_steps:
        return ClampedDequantisation(grey_levels)
    if len(shape) == 1:
        raise ValueError("glow: noise_steps is for signals and pictures, wanted 0 for vectors")
    return ClampedDequantisation(grey_levels, learnt_noise(shape, noise_steps, widths))


def _context(context: int | Sequence[int], event_dims: int) -> ContextShape:
    if isinstance(context, int):
        check_sizes("glow", context=context)
        return ContextShape((context,) if context else ())
    shape = tuple(context)
    if len(shape) not in (1, event_dims) or any(not isinstance(s, int) or s < 1 for s in shape):
        raise ValueError(
            f"glow: context is {context!r}, wanted the size of a vector, or for signals and pictures the"
            " shape of maps of as many dimensions, such as (3, 32, 32)"
        )
    return ContextShape(shape)


def _check_space(shape: tuple[int, ...], levels: int) -> None:
    if len(shape) not in (2, 3, 4) or any(size % 2**levels for size in shape[1:]) or min(shape) < 1:
        raise ValueError(
            f"glow: event_shape is {shape} with {levels} levels, wanted (C, T), (C, H, W) or (C, D, H, W)"
            f" whose sizes of space are multiples of {2**levels}; pad the data, or take fewer levels"
        )
