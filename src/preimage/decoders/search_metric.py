"""Along which changes of a picture a search should look first, given how its decoder errs."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor

from preimage.inverse.calibrate.metric import Spectrum

FLATTER = 0.5  # power of the covariance where the decoder knows little
FLAT = 0.25  # power of the covariance where the tap tells everything
LOST = 0.4  # share of the pictures' variance in its errors above which a decoder knows little
SEEN = 0.5  # frequencies that a tap decides, for each number that it holds


def search_metric(errors: Spectrum, spread: Tensor, tap: Sequence[int]) -> Spectrum:
    """The covariance of the errors that a search can mend.

    - A tap that holds as many numbers as the picture decides all of it: a much flatter covariance will do.
    - A tap of d numbers decides about d / 2 frequencies. Beyond those with the largest errors c, features
      are explained by them, but wrongly: the covariance falls as ``c (c / (c + c0))^2``, c0 being the
      error at the last frequency that is decided.
    - Where the decoder leaves most of the picture unexplained, its answer is too far off for a
      linearisation to say where to go: a flatter covariance lets the features agree by small changes, which
      cost the picture nothing.

    Args:
        errors: covariance of the decoder's errors.
        spread: deviations of the inputs' channels, ``(C, 1, 1)``.
        tap: event shape of the tap, of d numbers.

    Example:
        >>> import torch
        >>> errors = torch.randn(64, 1, 16, 16, generator=torch.Generator().manual_seed(0)).cumsum(3)
        >>> metric = Spectrum.of_errors(errors)
        >>> found = search_metric(metric, 100 * torch.ones(1, 1, 1), (4, 4, 4))
        >>> share = found.gain / metric.gain
        >>> bool(share[0, 0, 0] > 0.5 > 0.1 > share[0, -1, -1])
        True
    """
    power, count = errors.gain.square(), prod(tap)
    if knows_little(errors, spread) or count >= power.numel():
        return errors.power(FLATTER if knows_little(errors, spread) else FLAT)
    decided = max(int(SEEN * count), 1)
    last = power.flatten().sort(descending=True).values[min(decided, power.numel() - 1)]
    return Spectrum(errors.input_shape, errors.rotation, errors.gain * power / (power + last))


def knows_little(errors: Spectrum, spread: Tensor) -> bool:
    """Whether a decoder with these errors leaves most of the pictures' variance unexplained."""
    return float(errors.gain.square().mean() / spread.square().mean()) > LOST
