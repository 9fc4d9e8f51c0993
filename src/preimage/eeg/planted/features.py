"""What is planted into synthetic recordings: offsets, oscillations and synchronous pairs of electrodes."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from preimage.errors import ShapeError


@dataclass(frozen=True)
class Grid:
    """What a feature must know of the recordings into which it is planted.

    Args:
        channels: names of the C electrodes.
        times: number of samples T.
        rate: samples a second, in hertz.
        mixing: how strongly a source under electrode j is seen at electrode i, ``(C, C)``, diagonal 1.
    """

    channels: tuple[str, ...]
    times: int
    rate: float
    mixing: Tensor

    def pattern(self, electrode: str) -> Tensor:
        """How every electrode sees a source under this one ``(C,)``."""
        names = [channel.upper() for channel in self.channels]
        if electrode.upper() not in names:
            raise ShapeError(f"a feature is planted at {electrode!r}, which is not among {self.channels}")
        return self.mixing[:, names.index(electrode.upper())]

    def seconds(self) -> Tensor:
        """The instants of the samples ``(T,)``."""
        return torch.arange(self.times, dtype=torch.float64) / self.rate

    def frequencies(self) -> Tensor:
        """The frequencies of a real Fourier transform ``(F,)``, in hertz."""
        return torch.fft.rfftfreq(self.times, 1 / self.rate, dtype=torch.float64)


@dataclass(frozen=True)
class PlantedFeature(abc.ABC):
    """One difference between classes, with its truth: a mean and a spectral matrix for every class.

    Args:
        name: what plots and reports call it.
        electrodes: where its sources sit.
    """

    name: str
    electrodes: tuple[str, ...]

    @property
    @abc.abstractmethod
    def classes(self) -> int:
        """Number of classes that it tells apart."""

    @property
    @abc.abstractmethod
    def band(self) -> tuple[float, float]:
        """Lowest and highest frequency of the feature, in hertz."""

    @abc.abstractmethod
    def mean(self, grid: Grid, label: int) -> Tensor:
        """The part of the feature that is common to all recordings of a class ``(C, T)``, in microvolts."""

    @abc.abstractmethod
    def spectra(self, grid: Grid, label: int) -> Tensor:
        """The spectral matrices of the part that varies ``(F, C, C)``, in squared microvolts."""


@final
@dataclass(frozen=True)
class Offset(PlantedFeature):
    """A constant voltage that depends on the class, such as that of eyes and sweat at the forehead.

    Args:
        levels: one voltage a class, in microvolts at the planted electrodes.
    """

    levels: tuple[float, ...] = (12.0, -12.0)

    @property
    def classes(self) -> int:
        """Number of levels."""
        return len(self.levels)

    @property
    def band(self) -> tuple[float, float]:
        """Only the constant."""
        return 0.0, 0.0

    def mean(self, grid: Grid, label: int) -> Tensor:
        """The level at every instant, seen through the mixing."""
        pattern = torch.stack([grid.pattern(name) for name in self.electrodes]).sum(0)  # (C,)
        return self.levels[label] * pattern[:, None].expand(-1, grid.times) / pattern.abs().max()

    def spectra(self, grid: Grid, label: int) -> Tensor:
        """An offset does not vary."""
        return grid.mixing.new_zeros(len(grid.frequencies()), *grid.mixing.shape)


@dataclass(frozen=True)
class _Rhythm(PlantedFeature):
    """A rhythm, partly locked to the start of the recording (evoked), partly with random phase (induced).

    Args:
        frequency: centre, in hertz.
        locked: share of the power that has the same phase in every recording, in 0..1.
        bandwidth: standard deviation of the spectrum around its centre, in hertz.
    """

    frequency: float
    locked: float = 0.5
    bandwidth: float = 0.5

    @property
    def band(self) -> tuple[float, float]:
        """Three standard deviations around the centre."""
        return max(0.0, self.frequency - 3 * self.bandwidth), self.frequency + 3 * self.bandwidth

    def evoked(self, grid: Grid, phase: float) -> Tensor:
        """The locked part of a rhythm of root mean square 1 ``(T,)``."""
        angle = 2 * math.pi * self.frequency * grid.seconds() + phase
        return math.sqrt(2 * self.locked) * angle.cos()

    def induced(self, grid: Grid) -> Tensor:
        """The spectrum of the varying part of a rhythm of variance 1 ``(F,)``."""
        frequencies = grid.frequencies()
        shape = (-0.5 * ((frequencies - self.frequency) / self.bandwidth).square()).exp()
        variance = torch.fft.irfft(shape, n=grid.times)[0]
        return (1 - self.locked) * shape / variance


@final
@dataclass(frozen=True)
class Oscillation(_Rhythm):
    """Independent rhythms under some electrodes, whose strength depends on the class.

    Args:
        strengths: one root mean square a class, in microvolts at the planted electrodes.
    """

    strengths: tuple[float, ...] = (4.0, 8.0)

    @property
    def classes(self) -> int:
        """Number of strengths."""
        return len(self.strengths)

    def mean(self, grid: Grid, label: int) -> Tensor:
        """The same wave from every planted electrode, seen through the mixing."""
        pattern = torch.stack([grid.pattern(name) for name in self.electrodes]).sum(0)  # (C,)
        return self.strengths[label] * torch.outer(pattern, self.evoked(grid, 0.0))

    def spectra(self, grid: Grid, label: int) -> Tensor:
        """Independent sources: the sum of their rank-one matrices."""
        patterns = torch.stack([grid.pattern(name) for name in self.electrodes], dim=1)  # (C, sources)
        power = self.strengths[label] ** 2 * self.induced(grid)  # (F,)
        return power[:, None, None] * (patterns @ patterns.T)


@final
@dataclass(frozen=True)
class SynchronousPair(_Rhythm):
    """Two electrodes with the same power in every class, whose synchrony depends on the class.

    No electrode alone tells the classes apart in power: the induced rhythms correlate by
    ``coherences[c]``, the evoked ones lie ``arccos(coherences[c])`` apart, symmetrically around
    a common phase.

    Args:
        strength: root mean square of each, in microvolts.
        coherences: one correlation of the two rhythms a class, in -1..1.
    """

    strength: float = 5.0
    coherences: tuple[float, ...] = (0.0, 1.0)

    @property
    def classes(self) -> int:
        """Number of coherences."""
        return len(self.coherences)

    def mean(self, grid: Grid, label: int) -> Tensor:
        """Two waves, shifted against one another."""
        half = math.acos(self.coherences[label]) / 2
        left, right = (grid.pattern(name) for name in self.electrodes)  # (C,) each
        waves = torch.outer(left, self.evoked(grid, half)) + torch.outer(right, self.evoked(grid, -half))
        return self.strength * waves

    def spectra(self, grid: Grid, label: int) -> Tensor:
        """Two correlated sources."""
        patterns = torch.stack([grid.pattern(name) for name in self.electrodes], dim=1)  # (C, 2)
        together = torch.eye(2, dtype=torch.float64)
        together[0, 1] = together[1, 0] = self.coherences[label]
        power = self.strength**2 * self.induced(grid)  # (F,)
        return power[:, None, None] * (patterns @ together @ patterns.T)
