"""How the blocks of an invertible network for signals are arranged over time scales."""

from __future__ import annotations

from collections.abc import Callable

from preimage.bijection import Bijection, Chain
from preimage.errors import ShapeError
from preimage.layers import MeanDifference, Parallel, Split

Block = Callable[[int], Bijection]
"""Makes a block for a number of channels."""


def down_and_up(block: Block, channels: int, times: int, stages: int = 3, blocks: int = 4) -> Chain:
    r"""Stages that each go down to a coarser time scale, run their blocks there, and come up again.

    Stage i is i Haar steps (mean and difference), ``blocks`` blocks on :math:`2^i C` channels and
    :math:`T / 2^i` samples, and i inverse Haar steps. Latents have the shape of the data.

    Where T is not a multiple of :math:`2^i`, stage i leaves the odd samples alone: at the end for odd i, at
    the beginning for even i, so that what one stage leaves another one changes. Nothing is padded, and the
    density is exact for every length.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks; Haar steps: Ardizzone et al. (2019), https://arxiv.org/abs/1907.02392

    Args:
        block: makes the bijection of a block, for its number of channels.
        channels: channels C of the data.
        times: samples T, at least ``2 ** stages``.
        stages: number of stages.
        blocks: blocks in a stage.

    Returns:
        The chain, from ``(N, C, T)`` to ``(N, C, T)``.

    Raises:
        ShapeError: fewer than ``2 ** stages`` samples, or no channels.
        ValueError: a number of stages or blocks is negative.

    Cost: that of ``stages * blocks`` blocks.

    Example:
        >>> import torch
        >>> from preimage.layers import ActNorm
        >>> chain = down_and_up(ActNorm, 2, 11, stages=2, blocks=1)
        >>> chain(torch.zeros(3, 2, 11)).shape
        torch.Size([3, 2, 11])
    """
    _check("down_and_up", channels, times, stages, blocks)
    return Chain(*[_stage(block, channels, times, number, blocks) for number in range(1, stages + 1)])


def downwards(block: Block, channels: int, times: int, stages: int = 3, blocks: int = 4) -> Chain:
    """The plain Glow-like order: one Haar step before every stage and none back.

    The same blocks at the same time scales as :func:`down_and_up`, with less copying; latents are
    ``(N, 2 ** stages * C, T / 2 ** stages)``.

    Reference: Kingma, Dhariwal (2018), Glow, https://arxiv.org/abs/1807.03039

    Args:
        block: makes the bijection of a block, for its number of channels.
        channels: channels C of the data.
        times: samples T, a multiple of ``2 ** stages``.
        stages: number of stages.
        blocks: blocks in a stage.

    Returns:
        The chain.

    Raises:
        ShapeError: the number of samples does not divide, or there are no channels.
        ValueError: a number of stages or blocks is negative.

    Cost: that of ``stages * blocks`` blocks.

    Example:
        >>> import torch
        >>> from preimage.layers import ActNorm
        >>> downwards(ActNorm, 2, 12, stages=2, blocks=1)(torch.zeros(3, 2, 12)).shape
        torch.Size([3, 8, 3])
    """
    _check("downwards", channels, times, stages, blocks)
    if times % 2**stages:
        raise ShapeError(
            f"downwards: {times} samples with {stages} stages, wanted a multiple of {2**stages}; take a"
            f" window of {times - times % 2**stages} samples, fewer stages, or down_and_up, which takes every"
            " length"
        )
    layers: list[Bijection] = []
    for number in range(1, stages + 1):
        layers += [MeanDifference(), *[block(channels * 2**number) for _ in range(blocks)]]
    return Chain(*layers)


def _stage(block: Block, channels: int, times: int, number: int, blocks: int) -> Bijection:
    down = [MeanDifference() for _ in range(number)]
    up = [step.inv for step in reversed(down)]
    stage = Chain(*down, *[block(channels * 2**number) for _ in range(blocks)], *up)
    odd = times % 2**number
    if odd == 0:
        return stage
    return _on_the_first(stage, times - odd, odd) if number % 2 else _on_the_last(stage, odd, times - odd)


def _on_the_first(stage: Chain, samples: int, rest: int) -> Chain:
    parts = Split([samples, rest], dim=2)
    return Chain(parts, Parallel(stage, Chain()), parts.inv)


def _on_the_last(stage: Chain, rest: int, samples: int) -> Chain:
    parts = Split([rest, samples], dim=2)
    return Chain(parts, Parallel(Chain(), stage), parts.inv)


def _check(where: str, channels: int, times: int, stages: int, blocks: int) -> None:
    if stages < 0 or blocks < 0:
        raise ValueError(f"{where}: stages is {stages}, blocks {blocks}, wanted 0 or more")
    if channels < 1 or times < 2**stages:
        raise ShapeError(
            f"{where}: {channels} channels and {times} samples with {stages} stages, wanted 1 channel and"
            f" {2**stages} samples or more; take a longer window or fewer stages"
        )
