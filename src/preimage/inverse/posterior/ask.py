"""Which posterior answers: the calibrated one where data were given, else a data-free one of the network."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.errors import NotInvertibleError
from preimage.inverse.calibrate import Decoder
from preimage.inverse.packing import Packing
from preimage.inverse.posterior.calibrated import CalibratedPosterior
from preimage.inverse.posterior.ensemble import EnsemblePosterior
from preimage.inverse.posterior.error_model import ErrorModel
from preimage.inverse.posterior.gaussian.gates import LARGEST
from preimage.inverse.posterior.gaussian.posterior import GaussianPosterior
from preimage.inverse.posterior.posterior import Posterior
from preimage.inverse.preimages.priors.gaussian import Gaussian
from preimage.inverse.values import Values

if TYPE_CHECKING:
    from preimage.inverse.on_demand import OnDemand


def posterior(
    inverse: OnDemand, y: Values, tap: str | TapLike | None = None, *, prior: Gaussian | None = None
) -> Posterior:
    """The distribution of x given y = f(x).

    From a calibrated tap, the decoder's estimate with intervals that were calibrated on pictures that it had
    not seen. Data-free, or with a prior: for inputs and outputs of up to 2048 numbers the Gaussian posterior
    of a Kalman smoother, which is exact for linear networks; for larger ones, without a prior, the spread of
    a few members of the preimage.

    Args:
        inverse: of the network.
        y: values at the tap, ``(N, *event)``; a tuple for a network with several outputs.
        tap: label, value or module path; the network's output when None.
        prior: of the input; the calibration, or what the batch norms remember, when None.

    Returns:
        ``mean``, ``standard_deviation``, ``interval(level)``, ``draw(count)``, ``sample(count)``,
        ``certificate`` and ``mode``, which says what it was learnt from.

    Raises:
        NotInvertibleError: a prior was given for a network whose covariances are too large to be written
            down; or the tap was calibrated by a version that did not measure errors.

    Cost: of the calibrated one, an estimate; of others see their classes.

    Example:
        >>> import torch, preimage as pi
        >>> from preimage.inverse.preimages import Gaussian
        >>> net = torch.nn.Linear(2, 1, bias=False).double()
        >>> _ = torch.nn.init.constant_(net.weight, 1.0)  # y is the sum of two numbers
        >>> inverse = pi.invert(net, torch.zeros(1, 2).double())
        >>> posterior = inverse.posterior(torch.tensor([[3.0]]).double(), prior=Gaussian.standard((2,)))
        >>> posterior.mean, posterior.standard_deviation
        (tensor([[1.5000, 1.5000]], dtype=torch.float64), tensor([[0.7071, 0.7071]], dtype=torch.float64))
    """
    decoder = inverse.decoders.get(inverse.label_of(tap))
    if prior is None and decoder is not None and isinstance(y, Tensor):
        mean, certificate = inverse.calibrated(y, tap)
        return CalibratedPosterior(inverse, y, tap, mean, _errors(decoder, tap), decoder.metric, certificate)
    size = _largest(inverse, y, tap)
    if size <= LARGEST:
        return GaussianPosterior(inverse, y, tap, prior)
    if prior is not None:
        raise NotInvertibleError(
            f"a posterior with a prior writes covariances down, for up to {LARGEST} numbers; here {size} are"
            " known or wanted. Calibrate, pi.invert(..., calibration=data), or leave the prior away"
        )
    return EnsemblePosterior(inverse, y, tap)


def _errors(decoder: Decoder, tap: str | TapLike | None) -> ErrorModel:
    if decoder.errors is None:
        raise NotInvertibleError(
            f"how the decoder of tap {tap!r} errs was not measured when it was made; calibrate again, with"
            " pictures of two sources at least, or give a prior="
        )
    return decoder.errors


def _largest(inverse: OnDemand, y: Values, tap: str | TapLike | None) -> int:
    """The numbers of a sample that are known, or those that are wanted if these are more."""
    known = sum(value[0].numel() if len(value) else 0 for value in inverse.known(y, tap).values())
    return max(known, sum(prod(shape) for shape in Packing(inverse.graph).shapes))
