"""Which posterior answers: the calibrated one where data were given, else the Gaussian one of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.errors import NotInvertibleError
from preimage.inverse.posterior.calibrated import CalibratedPosterior
from preimage.inverse.posterior.posterior import Posterior
from preimage.inverse.preimages.gaussian import Gaussian
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.one_shot import OneShot


def posterior(
    inverse: OneShot, y: Values, tap: str | TapLike | None = None, prior: Gaussian | None = None
) -> Posterior:
    """The distribution of x given y = f(x)."""
    decoder = inverse.decoders.get(inverse.label_of(tap))
    if prior is None and decoder is not None and decoder.errors is not None and isinstance(y, Tensor):
        mean, certificate = inverse.calibrated(y, tap)
        return CalibratedPosterior(inverse, y, tap, mean, decoder.errors, decoder.metric, certificate)
    raise NotInvertibleError(f"tap {tap!r} is not calibrated; give pi.invert(..., calibration=pictures)")
