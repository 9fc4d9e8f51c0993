"""Where on the scalp two classes differ in a band: in their means, and in their strengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from preimage.eeg.stationary.base import StationaryClassConditional
from preimage.eeg.stationary.classifier import StationaryClassifier
from preimage.errors import ShapeError


@dataclass(frozen=True)
class BandPatterns:
    """What tells two classes apart in a band, as scalp patterns.

    Args:
        mean: where the mean recordings differ ``(C,)``: the strongest map of the difference, in units of the
            recordings.
        sources: maps of sources whose strength differs ``(C, C)``, one a row, the clearest first, each with
            a largest value of 1.
        ratios: power of each source in the one class over that in the other ``(C,)``; 1 for no difference.
    """

    mean: Tensor
    sources: Tensor
    ratios: Tensor


@torch.no_grad()
def band_patterns(
    model: StationaryClassifier,
    band: tuple[float, float],
    rate: float,
    label: int = 1,
    reference: int = 0,
) -> BandPatterns:
    r"""The common spatial patterns of a band, and the map of its mean difference, from a closed-form fit.

    .. math:: \Sigma_1 w = \lambda\, \Sigma_0 w, \qquad a = \tfrac12 (\Sigma_0 + \Sigma_1)\, w

    with the covariances of the channels in the band. w is a filter; a is its activation pattern in the sense
    of Haufe: where the signal that it extracts shows, not what it is made of.

    Reference: Blankertz, Tomioka, Lemm, Kawanabe, Müller (2008), Optimizing spatial filters for robust EEG
    single-trial analysis, https://doi.org/10.1109/MSP.2008.4408441; Haufe et al. (2014),
    https://doi.org/10.1016/j.neuroimage.2013.10.067

    Args:
        model: a fitted :class:`StationaryClassifier`.
        band: lowest and highest frequency, in hertz; at least the nearest coefficient is taken.
        rate: samples a second, in hertz.
        label: the class that is explained.
        reference: the class against which it is explained.

    Returns:
        The patterns.

    Raises:
        ShapeError: a class is unknown, or the frequencies are out of order or range.

    Cost: O(C^3).

    Example:
        >>> from preimage import eeg
        >>> found = eeg.synthetic(500, ("O1", "CZ", "FZ"), 64, features=[
        ...     eeg.Oscillation("alpha", ("O1",), 10.0, 0.0, strengths=(2.0, 8.0))])
        >>> model = StationaryClassifier(3, 64, classes=2).estimate(found.x, found.labels)
        >>> patterns = band_patterns(model, (8.0, 12.0), rate=64.0)
        >>> bool(patterns.ratios[0] > 2), int(patterns.sources[0].argmax())
        (True, 0)
    """
    base = cast(StationaryClassConditional, model.flow.base)
    kept = _coefficients(band, rate, base.location.shape[2])
    for name, number in (("label", label), ("reference", reference)):
        if not 0 <= number < base.classes:
            raise ShapeError(f"band_patterns: {name} is {number}, wanted 0 to {base.classes - 1}")
    factors = base.factors()[[label, reference]][:, kept].double()  # (2, F, C, C)
    one, other = (factors @ factors.mT).sum(1)  # (C, C) each
    common = torch.linalg.cholesky((one + other) / 2)
    half = torch.linalg.solve_triangular(common, one, upper=False)
    white = torch.linalg.solve_triangular(common, half.mT, upper=False)
    values, vectors = torch.linalg.eigh((white + white.mT) / 2)  # between 0 and 2
    ratios = values / (2 - values).clamp_min(1e-12)
    order = ratios.log().abs().argsort(descending=True)
    sources = (common @ vectors)[:, order].mT
    largest = sources.gather(1, sources.abs().argmax(1, keepdim=True))
    difference = (base.location[label] - base.location[reference])[:, kept].double()  # (C, F)
    left, strengths, _ = torch.linalg.svd(difference, full_matrices=False)
    return BandPatterns(left[:, 0] * strengths[0], sources / largest, ratios[order])


def _coefficients(band: tuple[float, float], rate: float, times: int) -> Tensor:
    """Which cosine coefficients lie in the band; number k lies at k rate / (2 T)."""
    low, high = band
    if not 0 <= low <= high <= rate / 2:
        raise ShapeError(f"band_patterns: band is {band}, wanted 0 <= lowest <= highest <= {rate / 2} hertz")
    frequencies = torch.arange(times) * rate / (2 * times)
    kept = (frequencies >= low) & (frequencies <= high)
    kept[(frequencies - (low + high) / 2).abs().argmin()] = True
    return kept
