"""Generative classifiers of pictures and signals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from preimage.bijection import Bijection, Chain
from preimage.classify.classifier import GenerativeClassifier
from preimage.classify.losses import ClassifierLoss
from preimage.classify.presets.residual_conv_net import ResidualConvNet
from preimage.flows import ClampedDequantisation, Flow, UnitClassConditionalNormal, preset
from preimage.layers import ActNorm, AffineMap, Coupling, Haar, LULinear, RangeCompression
from preimage.nets import ConvNet

EDGE = 0.02  # how far beyond black and white the logit reaches


@preset
def picture_class_flow(
    event_shape: Sequence[int],
    classes: int,
    steps: Sequence[int] = (2, 2),
    hidden_channels: Sequence[int] = (24, 48),
    readouts: int = 2,
    readout_channels: int | Sequence[int] = 64,
    readout_blocks: int | Sequence[int] = 1,
    grey_levels: int = 256,
) -> Flow:
    r"""A multi-scale flow for pictures or signals of known range, all of whose latents follow their class.

    Every level halves the size by a Haar wavelet and runs a few couplings with small networks. At the end a
    few couplings with deeper networks read out what tells the classes apart.

    Reference: Ardizzone, Kruse, Lüth, Bracher, Rother, Köthe (2020), Conditional invertible neural networks
    for diverse image-to-image translation, section 3.2, https://arxiv.org/abs/2105.02104, for the Haar levels

    Args:
        event_shape: shape of a picture ``(C, H, W)`` or signal ``(C, T)``; the sizes of space are multiples
            of two to the power of the number of levels.
        classes: number of classes K.
        steps: number of couplings at every level.
        hidden_channels: width of their networks at every level.
        readouts: number of couplings with deeper networks at the end.
        readout_channels: width of these networks, one for all or one for each.
        readout_blocks: their residual blocks, one number for all or one for each.
        grey_levels: number of levels of data that are whole numbers, 256 for bytes; 0 for data that lie
            between 0 and 1.

    Returns:
        The flow.

    Raises:
        ValueError: a size is out of range, or space does not divide.

    Cost: one network a step in either direction.

    Example:
        >>> flow = picture_class_flow((1, 8, 8), classes=3, steps=(1,), hidden_channels=(4,))
        >>> flow.base.class_centres().shape
        torch.Size([3, 4, 4, 4])
    """
    shape = tuple(event_shape)
    levels, dims = len(steps), len(shape) - 1
    if dims not in (1, 2, 3) or any(size % 2**levels for size in shape[1:]):
        raise ValueError(
            f"picture_class_flow: event_shape is {shape} with {levels} levels, wanted (C, T) or (C, H, W)"
            f" whose sizes of space are multiples of {2**levels}; pad the data, or take fewer"
            " levels"
        )
    layers: list[Bijection] = [RangeCompression(-EDGE, 1 + EDGE).inv]
    channels = shape[0]
    for count, width in zip(steps, hidden_channels, strict=True):
        channels *= 2**dims
        layers += [Haar(dims), *_steps(channels, dims, count, width)]
    widths, blocks = _each(readout_channels, readouts), _each(readout_blocks, readouts)
    for number in range(readouts):
        stays = torch.arange(channels) % 2 != number % 2
        moving = int((~stays).sum())
        net = ResidualConvNet(channels - moving, 2 * moving, widths[number], blocks[number], dims)
        layers += _step(stays, net, bound=1.0)
    base = UnitClassConditionalNormal(channels, *[size // 2**levels for size in shape[1:]], classes=classes)
    return Flow(Chain(*layers), base, surjection=ClampedDequantisation(grey_levels) if grey_levels else None)


def picture_classifier(
    event_shape: Sequence[int],
    classes: int | Sequence[str],
    *,
    priors: Any = None,
    temperature: float = 1.0,
    loss: ClassifierLoss | None = None,
    **sizes: Any,
) -> GenerativeClassifier:
    """A generative classifier of pictures or signals, see :func:`picture_class_flow`.

    Args:
        event_shape: shape of a picture ``(C, H, W)`` or signal ``(C, T)``.
        classes: number of classes, or their names.
        priors, temperature, loss: see :class:`GenerativeClassifier`.
        sizes: further arguments of :func:`picture_class_flow`.

    Returns:
        The classifier, untrained.

    Raises:
        ValueError: a size is out of range, or space does not divide.

    Example:
        >>> model = picture_classifier((1, 8, 8), ("cat", "dog"), steps=(1,), hidden_channels=(4,))
        >>> model.predict(torch.zeros(3, 1, 8, 8, dtype=torch.uint8)).shape
        torch.Size([3])
    """
    count = classes if isinstance(classes, int) else len(classes)
    flow = picture_class_flow(event_shape, count, **sizes)
    return GenerativeClassifier(flow, classes, priors=priors, temperature=temperature, loss=loss)


def _each(size: int | Sequence[int], count: int) -> tuple[int, ...]:
    """A size of every readout."""
    sizes = (size,) * count if isinstance(size, int) else tuple(size)
    if len(sizes) != count:
        raise ValueError(
            f"picture_class_flow: got sizes {sizes} for {count} readouts, wanted one, or {count} of them"
        )
    return sizes


def _steps(channels: int, dims: int, count: int, width: int) -> list[Bijection]:
    layers: list[Bijection] = []
    for number in range(count):
        stays = torch.arange(channels) % 2 == number % 2
        moving = int((~stays).sum())
        net = ConvNet(channels - moving, 2 * moving, [width, width], dims=dims)
        layers += _step(stays, net, bound=2.0)
    return layers


def _step(stays: torch.Tensor, net: torch.nn.Module, bound: float) -> list[Bijection]:
    """Standardise, turn the channels, couple."""
    channels = len(stays)
    turn = LULinear.from_matrix(torch.linalg.qr(torch.randn(channels, channels)).Q)
    return [ActNorm(channels), turn, Coupling(stays, net, AffineMap(bound))]
