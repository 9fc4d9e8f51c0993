"""How a decoder errs, and what is known of a picture besides what it paints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from preimage.capture.taps import TapLike
from preimage.errors import NotInvertibleError
from preimage.inverse.calibration import Calibration
from preimage.inverse.posterior.calibrated import CalibratedPosterior
from preimage.inverse.posterior.error_fit import ErrorFit
from preimage.inverse.posterior.error_model import ErrorModel

if TYPE_CHECKING:
    from preimage.decoders.attached import Attached


@torch.no_grad()
def error_models(
    paint: Callable[[Tensor, str], Tensor],
    features: Callable[[Tensor], Mapping[str, Tensor]],
    data: Calibration,
) -> dict[str, ErrorModel]:
    """How a decoder errs at each tap, on pictures that it was not trained on.

    Args:
        paint: from features ``(N, *tap)`` and a label to pictures ``(N, C, H, W)``.
        features: from pictures to features by label.
        data: the pictures; those of one scene share a group.

    Returns:
        Label -> model; nothing where there is a single group.

    Cost: one forward pass, and one painted picture a tap, for each picture.
    """
    fits: dict[str, ErrorFit] = {}
    seen: set[int] = set()
    for x, groups in data:
        seen.update(groups.tolist())
        for label, y in features(x).items():
            fit = fits.setdefault(label, ErrorFit(x.shape[1:], y.shape[1:]))
            fit.update(paint(y, label).to(x), y, x, groups)
    return {label: fit.solve() for label, fit in fits.items()} if len(seen) > 1 else {}


def posterior(attached: Attached, y: Tensor, tap: str | TapLike | None, label: str) -> CalibratedPosterior:
    """The distribution of the picture around the painted one.

    Args:
        attached: network and decoder.
        y: features ``(N, *tap)``.
        tap: where they are from.
        label: what the decoder calls the tap.

    Raises:
        NotInvertibleError: how the decoder errs was not measured.
    """
    decoder = attached.decoder
    if label not in decoder.error_models:
        raise NotInvertibleError(
            f"how the decoder errs at tap {label!r} was not measured; give it pictures that it was not"
            " trained on: attached = attached.measured_on(pi.Calibration(pictures, scenes))"
        )
    mean, certificate = attached.calibrated(y, tap)
    return CalibratedPosterior(
        attached.inverse,
        y,
        tap,
        mean,
        decoder.error_models[label],
        decoder.metric(label),
        certificate,
        solve=attached.solve,
    )
