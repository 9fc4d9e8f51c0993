"""What is known about synthetic recordings: means, covariances and the best possible classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from preimage.eeg.layout import electrode_positions
from preimage.eeg.planted.features import Grid, PlantedFeature
from preimage.eeg.planted.gaussian import StationaryGaussian
from preimage.functional.statistics.proportion import Proportion, clopper_pearson


@final
class SyntheticTruth:
    r"""The distribution that synthetic recordings are drawn from, class by class.

    .. math:: p(x \mid c) = \mathcal N\big(x;\ \textstyle\sum_f m_{fc},\ B + \sum_f S_{fc}\big), \qquad
        p(c \mid x) \propto \pi_c\, p(x \mid c)

    B is 1/f noise, mixed smoothly over the head, with white noise of the amplifiers. The features f are those
    planted. Everything is normal given the class, so the Bayes-optimal classifier is exact.

    Args:
        features: what is planted.
        channels: names of the C electrodes.
        times: number of samples T.
        rate: samples a second, in hertz.
        priors: one probability a class; equal by default.
        background: standard deviation of the 1/f noise, in microvolts.
        sensor_noise: standard deviation of the white noise, in microvolts, positive.
        spread: how far a source is seen over the scalp, standard deviation in degrees.

    Raises:
        ValueError: features that disagree about the number of classes, or none.
        ShapeError: an electrode is unknown.

    Cost: O(K T C^3) to build.

    Example:
        >>> from preimage.eeg import Offset
        >>> truth = SyntheticTruth([Offset("eyes", ("FP1",))], ("FP1", "O1"), times=16)
        >>> x, labels = truth.draw(5, torch.Generator().manual_seed(0))
        >>> x.shape, truth.class_log_prob(x).shape
        (torch.Size([5, 2, 16]), torch.Size([5, 2]))
    """

    def __init__(
        self,
        features: Sequence[PlantedFeature],
        channels: Sequence[str],
        times: int = 128,
        rate: float = 64.0,
        priors: Sequence[float] | None = None,
        background: float = 10.0,
        sensor_noise: float = 2.0,
        spread: float = 30.0,
    ) -> None:
        self.features = tuple(features)
        self.grid = Grid(tuple(channels), times, rate, smooth_mixing(channels, spread))
        self.classes = _agreed(self.features)
        self.priors = torch.full((self.classes,), 1 / self.classes, dtype=torch.float64)
        if priors is not None:
            self.priors = torch.tensor(_checked(priors, self.classes), dtype=torch.float64)
        noise = _background(self.grid, background, sensor_noise)  # (F, C, C)
        self.given_class = tuple(self._given(label, noise) for label in range(self.classes))

    def _given(self, label: int, noise: Tensor) -> StationaryGaussian:
        mean = torch.stack([f.mean(self.grid, label) for f in self.features]).sum(0)
        spectra = torch.stack([f.spectra(self.grid, label) for f in self.features]).sum(0)
        return StationaryGaussian(mean, noise + spectra)

    def draw(self, count: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Recordings ``(count, C, T)`` in microvolts and their labels ``(count,)``."""
        labels = torch.multinomial(self.priors, count, replacement=True, generator=generator)
        x = torch.empty(count, *self.given_class[0].mean.shape)
        for label, given in enumerate(self.given_class):
            chosen = labels == label
            x[chosen] = given.draw(int(chosen.sum()), generator).float()
        return x, labels

    def class_log_prob(self, x: Tensor) -> Tensor:
        """Exact log-densities of recordings ``(N, C, T)`` under every class ``(N, K)``, in nats."""
        return torch.stack([given.log_prob(x) for given in self.given_class], dim=1)

    def predict_proba(self, x: Tensor) -> Tensor:
        """Exact posterior probabilities of the classes ``(N, K)``."""
        return (self.class_log_prob(x) + self.priors.log()).softmax(1)

    def predict(self, x: Tensor) -> Tensor:
        """The most probable class of every recording ``(N,)``: no classifier errs less often."""
        return self.predict_proba(x).argmax(1)

    def bayes_accuracy(self, draws: int = 10_000, generator: torch.Generator | None = None) -> Proportion:
        """The accuracy of the optimal classifier on ``draws`` fresh recordings, with its interval."""
        right = 0
        for start in range(0, draws, 1000):
            x, labels = self.draw(min(1000, draws - start), generator)
            right += int((self.predict(x) == labels).sum())
        return clopper_pearson(right, draws)

    def mean(self, label: int) -> Tensor:
        """The mean recording of a class ``(C, T)``, in microvolts."""
        return self.given_class[label].mean

    def mean_difference(self, feature: PlantedFeature, label: int = 1, reference: int = 0) -> Tensor:
        """What a feature adds to the mean of one class against another ``(C, T)``, in microvolts."""
        return feature.mean(self.grid, label) - feature.mean(self.grid, reference)


def smooth_mixing(channels: Sequence[str], spread: float = 30.0) -> Tensor:
    r"""How a head blurs, by the angles between electrodes.

    .. math:: A_{ij} = \exp\big(-\tfrac12 (\theta_{ij} / \text{spread})^2\big)

    Args:
        channels: names of electrodes of the 10-10 system.
        spread: standard deviation in degrees, positive.

    Returns:
        Tensor ``(C, C)`` in double precision.

    Example:
        >>> smooth_mixing(["CZ", "FZ"]).round(decimals=2)
        tensor([[1.0000, 0.4900],
                [0.4900, 1.0000]], dtype=torch.float64)
    """
    if spread <= 0:
        raise ValueError(f"smooth_mixing: spread is {spread} degrees, wanted a positive number such as 30")
    points = electrode_positions(channels).double()  # (C, 3)
    angles = torch.rad2deg(torch.acos((points @ points.T).clamp(-1, 1)))  # (C, C)
    angles.fill_diagonal_(0.0)  # rounding inside acos would leave 1e-6 degrees
    return (-0.5 * (angles / spread).square()).exp()


def _background(grid: Grid, background: float, sensor_noise: float) -> Tensor:
    """1/f noise of sources under every electrode, levelled to one power, and white noise."""
    if background < 0 or sensor_noise <= 0:
        raise ValueError(
            f"synthetic: background {background} and sensor_noise {sensor_noise} microvolts; wanted 0 or more"
            " and a positive number, as the density needs white noise"
        )
    mixed = grid.mixing @ grid.mixing.T  # (C, C)
    scale = mixed.diagonal().rsqrt()
    correlation = mixed * scale[:, None] * scale
    shape = 1 / (0.5 + grid.frequencies())  # (F,); flat below half a hertz
    shape = shape / torch.fft.irfft(shape, n=grid.times)[0]
    white = sensor_noise**2 * torch.eye(len(scale), dtype=torch.float64)
    return background**2 * shape[:, None, None] * correlation + white


def _agreed(features: Sequence[PlantedFeature]) -> int:
    counts = {feature.name: feature.classes for feature in features}
    if not counts or len(set(counts.values())) > 1 or min(counts.values()) < 2:
        raise ValueError(
            f"synthetic: classes of the features are {counts}; wanted one number, 2 or more, for all of them"
        )
    return next(iter(counts.values()))


def _checked(priors: Sequence[float], classes: int) -> Sequence[float]:
    if len(priors) != classes or min(priors) <= 0 or abs(sum(priors) - 1) > 1e-6:
        raise ValueError(
            f"synthetic: priors are {tuple(priors)}, wanted {classes} positive numbers with sum 1"
        )
    return priors
