"""Explanations scored against what was planted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from preimage.eeg.planted.features import Grid, PlantedFeature
from preimage.eeg.planted.truth import SyntheticTruth
from preimage.errors import ShapeError


@dataclass(frozen=True)
class FeatureScore:
    """How well an explanation shows one planted feature.

    Args:
        feature: its name.
        correlation: of the waves at all electrodes with those planted, in the band of the feature; NaN where
            nothing is locked to time, so that no wave is planted.
        map_correlation: of the strengths over the scalp with those planted, in the same band; NaN where the
            classes do not differ in strength.
        planted: electrodes at which it was planted.
        found: as many electrodes, those at which the explanation differs most between the classes.
    """

    feature: str
    correlation: float
    map_correlation: float
    planted: tuple[str, ...]
    found: tuple[str, ...]

    @property
    def localised(self) -> bool:
        """Whether exactly the planted electrodes were found."""
        return set(self.planted) == set(self.found)


def score_prototypes(
    prototypes: Tensor, truth: SyntheticTruth, label: int = 1, reference: int = 0
) -> list[FeatureScore]:
    r"""How well class prototypes show every planted feature.

    .. math:: \rho_f = \operatorname{corr}\big(P_f (p_1 - p_0),\ P_f (m_{f1} - m_{f0})\big)

    P_f keeps the band of the feature, p are the prototypes and m the planted means of two classes. Where
    nothing is locked to time, the strengths over the scalp are compared instead: the root mean square of each
    electrode in the band, class against class.

    Args:
        prototypes: one recording a class ``(K, C, T)``, in microvolts.
        truth: what was planted.
        label: the class that is explained.
        reference: the class against which it is explained.

    Returns:
        One score a feature, in the order of ``truth.features``.

    Raises:
        ShapeError: the prototypes do not fit the recordings.

    Cost: a Fourier transform a feature.

    Example:
        >>> from preimage import eeg
        >>> truth = eeg.synthetic(2).truth
        >>> means = torch.stack([truth.mean(0), truth.mean(1)])
        >>> [(round(s.correlation, 2), s.localised) for s in score_prototypes(means, truth)][:2]
        [(1.0, True), (1.0, True)]
    """
    wanted = (truth.classes, *truth.mean(0).shape)
    if tuple(prototypes.shape) != wanted:
        raise ShapeError(f"score_prototypes: prototypes are {tuple(prototypes.shape)}, wanted {wanted}")
    pair = prototypes.detach().cpu().double()[[label, reference]]  # (2, C, T)
    return [_score(feature, pair, truth.grid, label, reference) for feature in truth.features]


def score_pattern(pattern: Tensor, truth: SyntheticTruth, feature: PlantedFeature) -> float:
    r"""Share of a scalp pattern that the planted sources explain, as a correlation in 0..1.

    .. math:: \rho = \|Q Q^\top p\| / \|p\|, \qquad Q \text{ an orthonormal basis of the planted patterns}

    For one source this is the absolute cosine with its pattern; signs and scales do not count.

    Args:
        pattern: a value an electrode ``(C,)``, such as a Haufe pattern.
        truth: what was planted.
        feature: the feature that the pattern should show.

    Returns:
        1 where the pattern is a mixture of the planted ones, 0 where it is orthogonal to them.

    Raises:
        ShapeError: the pattern does not have one value an electrode.

    Cost: O(C).

    Example:
        >>> from preimage import eeg
        >>> truth = eeg.synthetic(2).truth
        >>> round(score_pattern(truth.grid.pattern("T3"), truth, truth.features[0]), 6)
        1.0
    """
    if tuple(pattern.shape) != (len(truth.grid.channels),):
        raise ShapeError(
            f"score_pattern: pattern is {tuple(pattern.shape)}, wanted ({len(truth.grid.channels)},)"
        )
    planted = torch.stack([truth.grid.pattern(name) for name in feature.electrodes], dim=1)  # (C, sources)
    basis = torch.linalg.qr(planted).Q
    p = pattern.detach().cpu().double()
    return float((basis.T @ p).norm() / p.norm())


def in_band(x: Tensor, band: tuple[float, float], rate: float) -> Tensor:
    """Recordings ``(..., T)`` with nothing left outside a band in hertz, but for the nearest frequency."""
    frequencies = torch.fft.rfftfreq(x.shape[-1], 1 / rate, dtype=torch.float64)
    kept = (frequencies >= band[0]) & (frequencies <= band[1])
    kept[(frequencies - sum(band) / 2).abs().argmin()] = True
    return torch.fft.irfft(torch.fft.rfft(x) * kept, n=x.shape[-1])


def _score(feature: PlantedFeature, pair: Tensor, grid: Grid, label: int, reference: int) -> FeatureScore:
    shown = in_band(pair, feature.band, grid.rate)  # (2, C, T)
    means = torch.stack([feature.mean(grid, label), feature.mean(grid, reference)])
    planted = in_band(means, feature.band, grid.rate)
    locked = bool((planted[0] - planted[1]).norm() > 1e-9 * planted.norm())
    strengths = torch.stack([_strength(feature, grid, c) for c in (label, reference)])  # (2, C)
    amplitudes = shown.square().mean(2).sqrt()  # (2, C)
    found = (shown[0] - shown[1]).square().mean(1).sqrt() if locked else (amplitudes[0] - amplitudes[1]).abs()
    return FeatureScore(
        feature.name,
        _correlation(shown[0] - shown[1], planted[0] - planted[1]) if locked else float("nan"),
        _correlation(amplitudes[0] - amplitudes[1], strengths[0] - strengths[1], centred=True),
        feature.electrodes,
        tuple(grid.channels[int(i)] for i in found.topk(len(feature.electrodes)).indices),
    )


def _strength(feature: PlantedFeature, grid: Grid, label: int) -> Tensor:
    """Root mean square of what is planted at every electrode ``(C,)``."""
    varying = torch.fft.irfft(feature.spectra(grid, label).diagonal(dim1=1, dim2=2).T, n=grid.times)[:, 0]
    return (feature.mean(grid, label).square().mean(1) + varying).sqrt()


def _correlation(a: Tensor, b: Tensor, centred: bool = False) -> float:
    if centred:
        a, b = a - a.mean(), b - b.mean()
    size = a.norm() * b.norm()
    return float((a * b).sum() / size) if size > 1e-9 else float("nan")
