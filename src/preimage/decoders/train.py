"""From a network and pictures to a picture decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor, nn

from preimage.decoders.blueprint import BLOCKS, WIDTHS, Blueprint
from preimage.decoders.network import DecoderNetwork
from preimage.decoders.owner import Owner
from preimage.decoders.picture_decoder import PictureDecoder
from preimage.decoders.sketching import sketch, standardise
from preimage.errors import ShapeError, UnknownTapError
from preimage.inverse import Inverse
from preimage.inverse.calibrate.metric import Spectrum
from preimage.inverse.calibration import Calibration
from preimage.training import FitSettings, ParameterGroup, fit

EACH_STEP = 3  # taps that a step trains; the network is run once for all of them
FLOOR = 1e-5  # squared error, relative to the pictures' variance, below which less is no longer better
BATCH = 16
INPUTS = 288  # of a convolution, above which its learning rate is lowered
LEAST = 8  # pictures


def train(
    inverse: Inverse,
    pictures: Tensor,
    settings: FitSettings | None = None,
    *,
    taps: Sequence[str] | None = None,
    held: Tensor | None = None,
    widths: Sequence[int] = WIDTHS,
    blocks: Sequence[int] = BLOCKS,
    augment: Callable[[Tensor], Tensor] | None = None,
) -> PictureDecoder:
    r"""Train one decoder that paints the network's input from every tap.

    Linear sketches are fitted in closed form first and then kept; all other weights minimise the mean over
    taps and pictures of ``log |g(f(x)) - x|^2``, the negative of the mean PSNR. In the end as much of what
    they paint is added to each sketch as serves held-out pictures. The network itself is run forward only.

    Reference: Dosovitskiy and Brox 2016, Inverting visual representations with convolutional networks
    (https://arxiv.org/abs/1506.02753).

    Args:
        inverse: of a network with one picture ``(N, C, H, W)`` as its input.
        pictures: inputs of the network, ``(N, C, H, W)``; hundreds, of many scenes.
        settings: of the run; 30 epochs with batches of 8 otherwise. A share of the pictures is held out.
        taps: labels to paint from; all of the inverse by default.
        held: pictures to hold out instead; give them where several pictures show one scene.
        widths: channels of the levels, finest first: at a half of the picture's size, a quarter, ...
        blocks: residual blocks of the levels.
        augment: changes a batch of inputs before each step, such as a random flip.

    Returns:
        The decoder; its card holds the mean squared error of every tap on the held-out pictures, relative to
        the variance of the pictures.

    Raises:
        ShapeError: too few pictures, or an input that is no picture.
        UnknownTapError: a tap that the inverse does not have.
        NotConvergedError: the training diverged.

    Cost: a step runs the network once and the decoder forward and backward for up to three taps.

    Example:
        See :class:`preimage.decoders.PictureDecoder`.
    """
    settings = settings or FitSettings(epochs=30, batch_size=8, clip=1.0, average=0.99, patience=0)
    labels = tuple(inverse.taps if taps is None else taps)
    _check(inverse, pictures, labels)
    pictures, held = split(pictures, held, settings)
    values = {label: inverse.node(label) for label in labels}
    shape = inverse.graph.input_shapes[0]
    blueprint = Blueprint(
        (shape[0], shape[1], shape[2]),
        {label: tuple(inverse.graph.shape(value)) for label, value in values.items()},
        tuple(widths),
        tuple(blocks),
    )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = DecoderNetwork(blueprint).to(pictures)

    def features(x: Tensor) -> dict[str, Tensor]:
        return inverse.features(x, labels)

    standardise(network, features, pictures[: 4 * BATCH])
    sketch(network, features, batches(pictures), batches(held), settings.seed)
    objective = Objective(inverse, labels, augment)
    fit(network, objective, pictures, with_rates(network, settings), validation=held)
    decoder = finished(network, Owner.of(inverse.graph, values), features, batches(held))
    return decoder.measured_on(Calibration(held, batch=BATCH), features) if len(held) > 1 else decoder


@final
class Objective:
    """Losses of a batch at a few random taps, or at all while validating.

    Args:
        inverse: gives the features.
        labels: of the taps.
        augment: changes inputs before a training step.
    """

    def __init__(
        self, inverse: Inverse, labels: Sequence[str], augment: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.inverse, self.labels, self.augment = inverse, tuple(labels), augment

    def __call__(self, network: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        """Losses ``(N,)``."""
        x, chosen = batch[0], self.labels
        if network.training:
            order = torch.randperm(len(self.labels))[:EACH_STEP].tolist()
            chosen = tuple(self.labels[i] for i in order)
            x = x if self.augment is None else self.augment(x)
        features = self.inverse.features(x, chosen)
        losses = [log_error(network(y, label), x) for label, y in features.items()]
        return torch.stack(losses).mean(0)


def log_error(painted: Tensor, x: Tensor) -> Tensor:
    """Logarithm of the mean squared error of each picture, ``(N,)``, with a floor."""
    error = (painted.float() - x).square().flatten(1).mean(1)
    return (error + FLOOR).log()


@torch.no_grad()
def finished(
    network: DecoderNetwork,
    owner: Owner,
    features: Callable[[Tensor], dict[str, Tensor]],
    held: Iterable[Tensor],
    card: dict[str, Any] | None = None,
) -> PictureDecoder:
    """A trained network with the spectra of its errors on held-out pictures.

    Args:
        network: trained.
        owner: the network it was trained for.
        features: from inputs to features by label.
        held: batches of inputs ``(N, C, H, W)`` of the network's own size.
        card: what else is to be known.
    """
    network.eval()
    held = list(held)
    balance(network, features, held)
    errors: dict[str, list[Tensor]] = {label: [] for label in network.blueprint.taps}
    power: list[Tensor] = []
    for x in held:
        power.append(((x - network.average) ** 2).mean((1, 2, 3)))
        for label, y in features(x).items():
            errors[label].append((network(y, label) - x).float())
    joined = {label: torch.cat(parts) for label, parts in errors.items()}
    variance = float(torch.cat(power).mean())
    quality = {label: round(float(e.square().mean()) / variance, 6) for label, e in joined.items()}
    spectra = {label: Spectrum.of_errors(e) for label, e in joined.items()}
    return PictureDecoder(network, owner, spectra, {**(card or {}), "unexplained": quality})


@torch.no_grad()
def balance(
    network: DecoderNetwork, features: Callable[[Tensor], Mapping[str, Tensor]], held: Iterable[Tensor]
) -> None:
    """Add as much of what the levels paint to every sketch as serves held-out pictures, from nothing to all.

    The share of least squared error is ``<x - sketch, painted> / <painted, painted>``.
    """
    sums = torch.zeros(2, len(network.blueprint.taps), dtype=torch.float64)
    for x in held:
        pixels = (x - network.average) / network.spread
        for label, y in features(x).items():
            sketched, painted = network.parts(y, label)
            sums[0, int(network.labels[label])] += ((pixels - sketched) * painted).sum().double().cpu()
            sums[1, int(network.labels[label])] += painted.square().sum().double().cpu()
    network.gains.copy_((sums[0] / sums[1].clamp_min(1e-30)).clamp(0, 1))


def with_rates(network: DecoderNetwork, settings: FitSettings) -> FitSettings:
    """Settings under which sketches stay, and wide layers learn slowly where the settings do not say."""
    network.sketches.requires_grad_(False)
    return slowed_where_wide(network, settings)


def slowed_where_wide(network: nn.Module, settings: FitSettings) -> FitSettings:
    """Settings under which wide layers learn more slowly, where they say nothing of it.

    One step of Adam moves a sum of n inputs by n times the learning rate.
    """
    if settings.groups:
        return settings
    groups = [
        ParameterGroup(name, settings.learning_rate * slowed(weight))
        for name, weight in network.named_parameters()
        if weight.requires_grad and weight.dim() == 4 and weight[0].numel() > INPUTS
    ]
    return replace(settings, groups=tuple(groups))


def slowed(weight: Tensor) -> float:
    """The share of the learning rate for a weight ``(out, in, ...)``: less than all where in is large."""
    return min(1.0, INPUTS / weight[0].numel()) ** 0.5


def batches(pictures: Tensor) -> Iterator[Tensor]:
    """Pictures ``(N, C, H, W)`` a few at a time."""
    yield from pictures.split(BATCH)


def split(pictures: Tensor, held: Tensor | None, settings: FitSettings) -> tuple[Tensor, Tensor]:
    """Pictures to train on and pictures held out: those given, or a share of all."""
    if held is not None and (held.shape[1:] != pictures.shape[1:] or len(held) == 0):
        raise ShapeError(f"held pictures have shape {tuple(held.shape)}; wanted some, as the others are")
    if held is not None:
        return pictures, held.to(pictures)
    count = min(max(2, round(settings.hold_out * len(pictures))), len(pictures) // 2)
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(settings.seed))
    return pictures[order[count:]], pictures[order[:count]]


def check_pictures(inverse: Inverse, pictures: Tensor) -> None:
    """Refuse what is no set of pictures that the network reads.

    Raises:
        ShapeError: too few pictures, or an input that is no picture.
    """
    shapes = inverse.graph.input_shapes
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise ShapeError(
            f"a picture decoder needs a network with one picture (C, H, W) as its input; got {shapes}"
        )
    if not isinstance(pictures, Tensor) or tuple(pictures.shape[1:]) != tuple(shapes[0]):
        came = tuple(pictures.shape) if isinstance(pictures, Tensor) else type(pictures).__name__
        raise ShapeError(f"pictures must be inputs (N, {', '.join(map(str, shapes[0]))}); got {came}")
    if len(pictures) < LEAST:
        raise ShapeError(f"got {len(pictures)} pictures; at least {LEAST} were wanted, better some hundreds")


def _check(inverse: Inverse, pictures: Tensor, labels: Sequence[str]) -> None:
    check_pictures(inverse, pictures)
    unknown = [label for label in labels if label not in inverse.taps]
    if unknown or not labels:
        raise UnknownTapError(f"no taps {unknown} in this inverse, which has {list(inverse.taps)}")
