"""Prototypes of single channels, with a verdict on whether there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from preimage.classify.prototypes.channel_objective import ChannelObjective

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier


START = 0.3  # how far from the mean of the channel to a real value of it


@dataclass(frozen=True)
class ChannelPrototypes:
    r"""One value of every channel for every class, and how far it speaks for the class.

    Args:
        x: the prototypes ``(K, C, ...)``.
        probability: mean over the samples of the probability of the class with the prototype in its channel,
            ``(K, C)``.
        gain: by how many nats the mean log-probability of the class is above that with real values of the
            channel, taken from other inputs at random, ``(K, C)``.
        agreement: mean correlation between prototypes from different starts ``(K, C)``.
        clear: whether there is a clear prototype, ``gain > smallest_gain`` and
            ``agreement > smallest_agreement``, bool ``(K, C)``.
    """

    x: Tensor
    probability: Tensor
    gain: Tensor
    agreement: Tensor
    clear: Tensor


@dataclass(frozen=True)
class ChannelSettings:
    """How prototypes of channels are sought, and when they count as clear.

    Args:
        density_weight: of the generative term, 0 or more.
        class_weight: of the class term, 0 or more.
        steps: of Adam, with a rate that falls to zero.
        learning_rate: at the start, in standard deviations of the channel.
        batch: samples of the other channels a step.
        starts: real values of the channel to begin with; two or more.
        score_rows: samples of the other channels for probability and gain.
        controls: real values of the channel, in other inputs, that the gain is measured against.
        smallest_gain: in nats.
        smallest_agreement: correlation, from -1 to 1.
        seed: of starts, controls and samples.
    """

    density_weight: float = 0.1
    class_weight: float = 1.0
    steps: int = 100
    learning_rate: float = 0.05
    batch: int = 64
    starts: int = 3
    score_rows: int = 10_000
    controls: int = 20
    smallest_gain: float = 0.25
    smallest_agreement: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.starts < 2 or self.controls < 1 or self.steps < 1:
            raise ValueError(
                f"ChannelSettings: got {self.starts} starts, {self.controls} controls, {self.steps} steps;"
                " wanted 2, 1 and 1 or more"
            )


def channel_prototypes(
    classifier: GenerativeClassifier,
    background: Tensor,
    *,
    background_log_prob: Tensor | None = None,
    channels: Sequence[int] | None = None,
    settings: ChannelSettings | None = None,
) -> ChannelPrototypes:
    r"""What every channel alone looks like for every class, see :class:`ChannelObjective`.

    From several starts, which are real values of the channel drawn towards their mean, the objective is
    minimised over random samples of the other channels; the best end is the prototype. It is called *clear*
    if the mean log-probability of its class is higher by ``smallest_gain`` nats than with real values of the
    channel that are put into other inputs at random, and if different starts lead to similar prototypes,
    with a mean correlation of ``smallest_agreement``. Not every channel has one: a network can need several
    channels at once, or ignore this one.

    Reference: Erhan, Bengio, Courville, Vincent (2009), Visualizing higher-layer features of a deep network,
    for the maximisation by gradient

    Args:
        classifier: a fitted generative classifier of inputs ``(C, ...)``, in evaluation mode.
        background: samples of inputs, as the bijection takes them, ``(n, C, ...)``.
        background_log_prob: see :class:`ChannelObjective`; for all channels, ``(n, C)``.
        channels: numbers of the channels; all by default.
        settings: the defaults of :class:`ChannelSettings` otherwise.

    Returns:
        Prototypes with their evidence.

    Raises:
        ShapeError: there is no such channel, or the log-densities do not fit the samples.

    Cost: ``steps * starts * batch`` gradients, and ``(starts + controls) * score_rows`` runs of the
    classifier, for every class and channel.
    """
    settings = ChannelSettings() if settings is None else settings
    generator = torch.Generator().manual_seed(settings.seed)
    found = []
    for channel in range(background.shape[1]) if channels is None else channels:
        log_prob = None if background_log_prob is None else background_log_prob[:, channel]
        objective = ChannelObjective(classifier, channel, background, log_prob)
        found.append(_of_channel(objective, settings, generator))
    x, probability, gain, agreement = (torch.stack(parts, dim=1) for parts in zip(*found, strict=True))
    clear = (gain > settings.smallest_gain) & (agreement > settings.smallest_agreement)
    return ChannelPrototypes(x, probability, gain, agreement, clear)


def _of_channel(
    objective: ChannelObjective, settings: ChannelSettings, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Prototypes ``(K, ...)``, probability, gain and agreement ``(K,)`` of one channel."""
    classes = objective.classifier.classes
    real = objective.background[:, objective.channel]  # (n, ...)
    scored = objective.sampled(settings.score_rows, generator)
    labels = torch.arange(classes, device=real.device).repeat_interleave(settings.starts)
    start = torch.lerp(real.mean(0), _drawn(real, len(labels), generator), START)
    ends = _minimised(objective, start, labels, settings, generator)
    each = ends.unflatten(0, (classes, settings.starts))  # (K, S, ...)
    evidence = _own(scored.evidence(ends), labels).unflatten(0, (classes, settings.starts))
    every = torch.arange(classes, device=real.device)
    best = each[every, evidence.argmax(dim=1)]
    controls = scored.evidence(_drawn(real, settings.controls, generator))  # (R, K)
    gain = evidence.amax(dim=1) - controls.mean(dim=0)
    return best, _own(scored.probability(best), every), gain, _agreement(each)


def _minimised(
    objective: ChannelObjective,
    start: Tensor,
    labels: Tensor,
    settings: ChannelSettings,
    generator: torch.Generator,
) -> Tensor:
    x = start.detach().clone().requires_grad_()
    scale = float(objective.background[:, objective.channel].std().clamp_min(1e-12))
    optimiser = torch.optim.Adam([x], lr=settings.learning_rate * scale)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    weights = settings.density_weight, settings.class_weight
    for _ in range(settings.steps):
        loss = objective.sampled(settings.batch, generator).losses(x, labels, *weights).sum()
        x.grad = torch.autograd.grad(loss, x)[0]
        optimiser.step()
        schedule.step()
    return x.detach()


def _drawn(real: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Real values of the channel, drawn at random ``(count, ...)``."""
    return real[torch.randint(len(real), (count,), generator=generator).to(real.device)]


def _own(table: Tensor, labels: Tensor) -> Tensor:
    return table.gather(1, labels[:, None])[:, 0]


def _agreement(each: Tensor) -> Tensor:
    """The mean correlation between every two of S prototypes ``(K, S, ...)``: ``(K,)``."""
    flat = each.flatten(2)
    centred = flat - flat.mean(dim=2, keepdim=True)
    size = centred.norm(dim=2, keepdim=True).clamp_min(torch.finfo(flat.dtype).tiny)
    unit = centred / size
    count = each.shape[1]
    return ((unit @ unit.mT).sum((1, 2)) - (unit * unit).sum((1, 2))) / (count * (count - 1))
