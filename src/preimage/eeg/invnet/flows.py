"""The invertible networks of EEG-InvNet with their densities, as presets that can be saved."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.eeg.invnet.blocks import AdditiveBlock, AffineBlock, BlockSettings, InvNetBlock
from preimage.eeg.invnet.stages import Block, down_and_up, downwards
from preimage.flows import Flow, UnitClassConditionalNormal, preset


@preset
def invnet_flow(
    channels: int,
    times: int,
    classes: int = 2,
    stages: int = 3,
    blocks: int = 4,
    hidden_channels: int = 256,
    kernel_size: int = 11,
    dropout: float = 0.5,
) -> Flow:
    r"""The flow of :class:`~preimage.eeg.EEGInvNet`: stages that go down and up again, additive couplings.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks

    Args:
        channels: channels C of a recording.
        times: samples T of a window.
        classes: number of classes.
        stages: number of time scales.
        blocks: blocks in a stage.
        hidden_channels: channels inside the networks of the couplings.
        kernel_size: odd number of samples that their kernels cover.
        dropout: share of their hidden values set to zero in training, in [0, 1).

    Returns:
        The flow, with one normal distribution of spread 1 for every class.

    Raises:
        ShapeError: the number of samples does not fit the stages.
        ValueError: a size is out of range.

    Cost: ``stages * blocks`` networks in either direction.

    Example:
        >>> invnet_flow(2, 16, blocks=1, hidden_channels=4).base.event_shape
        (2, 16)
    """
    block = _maker(AdditiveBlock, BlockSettings(hidden_channels, kernel_size, dropout))
    return _flow(down_and_up(block, channels, times, stages, blocks), channels, times, classes)


@preset
def affine_invnet_flow(
    channels: int,
    times: int,
    classes: int = 2,
    stages: int = 3,
    blocks: int = 4,
    hidden_channels: int = 256,
    kernel_size: int = 11,
    dropout: float = 0.5,
) -> Flow:
    r"""The flow of :class:`~preimage.eeg.AffineEEGInvNet`: as :func:`invnet_flow`, with affine couplings.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks

    Args:
        channels, times, classes, stages, blocks, hidden_channels, kernel_size, dropout: as those of
            :func:`invnet_flow`.

    Returns:
        The flow, with one normal distribution of spread 1 for every class.

    Raises:
        ShapeError: the number of samples does not fit the stages.
        ValueError: a size is out of range.

    Cost: ``stages * blocks`` networks in either direction.

    Example:
        >>> affine_invnet_flow(2, 16, blocks=1, hidden_channels=4).base.event_shape
        (2, 16)
    """
    block = _maker(AffineBlock, BlockSettings(hidden_channels, kernel_size, dropout))
    return _flow(down_and_up(block, channels, times, stages, blocks), channels, times, classes)


@preset
def glow_invnet_flow(
    channels: int,
    times: int,
    classes: int = 2,
    stages: int = 3,
    blocks: int = 4,
    hidden_channels: int = 256,
    kernel_size: int = 11,
    dropout: float = 0.5,
) -> Flow:
    r"""The flow of :class:`~preimage.eeg.GlowEEGInvNet`: :func:`invnet_flow` without the ways up.

    Reference: Kingma, Dhariwal (2018), Glow, https://arxiv.org/abs/1807.03039

    Args:
        channels, times, classes, stages, blocks, hidden_channels, kernel_size, dropout: as those of
            :func:`invnet_flow`.

    Returns:
        The flow, with one normal distribution of spread 1 for every class.

    Raises:
        ShapeError: the number of samples does not fit the stages.
        ValueError: a size is out of range.

    Cost: ``stages * blocks`` networks in either direction.

    Example:
        >>> glow_invnet_flow(2, 16, blocks=1, hidden_channels=4).base.event_shape
        (16, 2)
    """
    block = _maker(AdditiveBlock, BlockSettings(hidden_channels, kernel_size, dropout))
    return _flow(downwards(block, channels, times, stages, blocks), channels, times, classes)


def _maker(block: type[InvNetBlock], settings: BlockSettings) -> Block:
    return lambda channels: block(channels, settings)


@torch.no_grad()
def _flow(bijection: Bijection, channels: int, times: int, classes: int) -> Flow:
    """The bijection with its base; a run on zeros says which shape latents have."""
    z: Tensor = bijection(torch.zeros(1, channels, times))
    return Flow(bijection, UnitClassConditionalNormal(*z.shape[1:], classes=classes))
