"""Synthetic EEG whose classes differ in planted, known ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from preimage.eeg.layout import STANDARD_CHANNELS
from preimage.eeg.planted.features import Offset, Oscillation, PlantedFeature, SynchronousPair
from preimage.eeg.planted.truth import SyntheticTruth


@dataclass(frozen=True)
class Strengths:
    """How strongly the four usual features are planted; 0 leaves one out.

    Class 0 stands for normal recordings, class 1 for pathological ones.

    Args:
        slowing: 3 Hz waves at T3 and T4 in class 1, a third of it in class 0; root mean square in microvolts.
        alpha: 10 Hz waves at O1 and O2 in class 0, a third of it in class 1; root mean square in microvolts.
        offset: constant voltage at FP1 and FP2, positive in class 0, negative in class 1; microvolts.
        synchrony: 18 Hz waves at C3 and C4, independent in class 0, together in class 1; root mean square in
            microvolts.
        locked: share of the power of the waves that has the same phase in every recording, in 0..1. At 0 the
            class means differ in the offset only, and all else is in the covariances.
    """

    slowing: float = 4.0
    alpha: float = 3.0
    offset: float = 3.0
    synchrony: float = 1.0
    locked: float = 0.5

    def features(self) -> tuple[PlantedFeature, ...]:
        """The features that are not left out."""
        every: dict[PlantedFeature, float] = {
            Oscillation(
                "temporal slowing", ("T3", "T4"), 3.0, self.locked, strengths=(self.slowing / 3, self.slowing)
            ): self.slowing,
            Oscillation(
                "occipital alpha", ("O1", "O2"), 10.0, self.locked, strengths=(self.alpha, self.alpha / 3)
            ): self.alpha,
            Offset("frontal offset", ("FP1", "FP2"), levels=(self.offset, -self.offset)): self.offset,
            SynchronousPair(
                "central synchrony", ("C3", "C4"), 18.0, self.locked, strength=self.synchrony
            ): self.synchrony,
        }
        return tuple(feature for feature, strength in every.items() if strength > 0)


class SyntheticEEG(NamedTuple):
    """Recordings with labels, and all that is true about them.

    Args:
        x: recordings ``(N, C, T)``, in microvolts.
        labels: classes ``(N,)``.
        truth: the distribution they are drawn from.
    """

    x: Tensor
    labels: Tensor
    truth: SyntheticTruth


def synthetic(
    recordings: int = 400,
    channels: Sequence[str] = STANDARD_CHANNELS,
    times: int = 128,
    rate: float = 64.0,
    strengths: Strengths | None = None,
    features: Sequence[PlantedFeature] | None = None,
    generator: torch.Generator | None = None,
    priors: Sequence[float] | None = None,
    background: float = 10.0,
    sensor_noise: float = 2.0,
    spread: float = 30.0,
) -> SyntheticEEG:
    r"""Recordings of two or more classes with planted features on 1/f noise, mixed as by a head.

    .. math:: x = \sum_f (m_{fc} + A_f s_{fc}) + A b + e

    with evoked waves m, induced waves s under the planted electrodes, 1/f sources b under every electrode,
    amplifier noise e, and a mixing A that is smooth over the scalp. Given the class, all is normal: the truth
    that comes along has exact densities, the Bayes-optimal classifier and every planted pattern.

    Reference: the features resemble those that tell recordings of the TUH corpus apart: Obeid, Picone (2016),
    The Temple University Hospital EEG data corpus, https://doi.org/10.3389/fnins.2016.00196

    Args:
        recordings: number N of recordings.
        channels: electrodes of the 10-10 system that the features need, and any others.
        times: samples T a recording.
        rate: samples a second, in hertz.
        strengths: how strongly the four usual features are planted.
        features: what to plant instead of the usual four, for any number of classes.
        generator: source of randomness; the global one by default.
        priors: probability of every class; equal by default.
        background: standard deviation of the 1/f noise, in microvolts.
        sensor_noise: standard deviation of the white noise, in microvolts, positive.
        spread: how far a source is seen over the scalp, standard deviation in degrees.

    Returns:
        Recordings in microvolts, labels, and the truth.

    Raises:
        ShapeError: a feature needs an electrode that is not among the channels, or one is unknown.
        ValueError: nothing is planted, or a setting is out of range.

    Cost: O(K T C^3 + N C^2 T); 0.1 seconds for 400 recordings of 21 x 128.

    Example:
        >>> found = synthetic(6, generator=torch.Generator().manual_seed(0))
        >>> found.x.shape, found.labels.tolist()
        (torch.Size([6, 21, 128]), [1, 1, 0, 1, 1, 1])
        >>> [feature.name for feature in found.truth.features][:2]
        ['temporal slowing', 'occipital alpha']
    """
    planted = (strengths or Strengths()).features() if features is None else features
    truth = SyntheticTruth(planted, channels, times, rate, priors, background, sensor_noise, spread)
    return SyntheticEEG(*truth.draw(recordings, generator), truth)
