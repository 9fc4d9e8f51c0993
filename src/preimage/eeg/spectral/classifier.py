"""A generative classifier of recordings that is fitted in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from preimage.classify import GenerativeClassifier
from preimage.eeg.spectral.base import SpectralClassConditional, frequency_edges
from preimage.eeg.spectral.covariance import grouped_covariance
from preimage.errors import ShapeError
from preimage.flows import Flow, preset
from preimage.layers import CosineTransform


@dataclass(frozen=True)
class SpectralSettings:
    """What a :class:`SpectralClassifier` looks at.

    Args:
        low: number of slow cosine coefficients whose sign counts.
        edges: borders of the bands whose amplitude counts, in hertz; none by default.
        across: weight in 0..1 of the covariance between different frequencies; 0 keeps that of the channels
            at one frequency only.
    """

    low: int
    edges: tuple[float, ...] = ()
    across: float = 0.0


@preset
def spectral_flow(channels: int, times: int, classes: int, low: int, edges: Sequence[int] = ()) -> Flow:
    """The flow of :class:`SpectralClassifier`: a cosine transform, then slow waves and bands by class.

    Reference: see :class:`SpectralClassConditional`.

    Args:
        channels: C.
        times: T.
        classes: number of classes K.
        low: number of slow coefficients.
        edges: borders of the bands, numbers of coefficients; see :func:`frequency_edges`.

    Returns:
        The flow; its weights are to be estimated.

    Raises:
        ShapeError: the numbers do not fit together.

    Cost: O(N C T log T) and that of the base.

    Example:
        >>> spectral_flow(2, 16, classes=2, low=4, edges=(4, 8)).base.bands
        1
    """
    return Flow(CosineTransform(1), SpectralClassConditional(channels, times, classes, low, tuple(edges)))


class SpectralClassifier(GenerativeClassifier):
    r"""Classes by slow waves and band amplitudes: a flow with a closed-form fit, for few recordings.

    .. math:: \log p(x \mid c) = \log p(D x \mid c), \qquad D \text{ the orthonormal cosine transform over
    time}

    with the latent density of :class:`SpectralClassConditional`. Frequencies of a stationary signal are
    nearly independent, so a covariance of the channels for every frequency describes most of what a full
    one would, with far fewer numbers to estimate. ``fit`` continues from here by gradients, as every
    generative classifier.

    Reference: Fisher (1936), The use of multiple measurements in taxonomic problems,
    https://doi.org/10.1111/j.1469-1809.1936.tb02137.x; shrinkage: Ledoit, Wolf (2004), A well-conditioned
    estimator for large-dimensional covariance matrices, https://doi.org/10.1016/S0047-259X(03)00096-4

    Args:
        channels: C.
        times: T.
        rate: samples a second, in hertz.
        classes: number of classes, or their names.
        settings: which coefficients, which bands.
        priors: probabilities of the classes, equal by default.

    Raises:
        ShapeError: there are more slow coefficients than samples.

    Cost: O(N C T log T) to transform, O(D^3) once to fit, D = C (low + bands).

    Example:
        >>> from preimage import eeg
        >>> found = eeg.synthetic(300, generator=torch.Generator().manual_seed(0))
        >>> settings = SpectralSettings(low=12, edges=(8.0, 12.0, 16.0, 20.0))
        >>> model = SpectralClassifier(21, 128, 64.0, 2, settings).estimate(found.x, found.labels)
        >>> fresh, labels = found.truth.draw(200, torch.Generator().manual_seed(1))
        >>> bool((model.predict(fresh) == labels).float().mean() > 0.8)
        True
    """

    def __init__(
        self,
        channels: int,
        times: int,
        rate: float,
        classes: int | Sequence[str],
        settings: SpectralSettings,
        priors: Any = None,
    ) -> None:
        count = classes if isinstance(classes, int) else len(classes)
        edges = frequency_edges(settings.edges, times, rate, settings.low)
        super().__init__(spectral_flow(channels, times, count, settings.low, edges), classes, priors)
        self.settings, self.channels, self.times = settings, channels, times

    @property
    def spectral(self) -> SpectralClassConditional:
        """The base, by its own type."""
        base = self.flow.base
        if not isinstance(base, SpectralClassConditional):
            raise TypeError(f"SpectralClassifier: the base was replaced by {type(base).__name__}")
        return base

    @torch.no_grad()
    def estimate(self, x: Tensor, labels: Tensor) -> Self:
        """Means, covariance and spreads of recordings ``(N, C, T)`` with labels ``(N,)``, in closed form.

        Rows with label -1 are left out.

        Raises:
            ShapeError: a class has fewer than two recordings.
        """
        known = labels >= 0
        z, y = self.flow.bijection(x[known].double()), labels[known]
        counts = torch.bincount(y, minlength=self.classes)
        if len(counts) != self.classes or counts.min() < 2:
            raise ShapeError(
                f"estimate: classes have {counts.tolist()} recordings, wanted two or more in each"
            )
        base = self.spectral
        phi = base.features(z)  # (N, D)
        means = torch.stack([phi[y == label].mean(0) for label in range(self.classes)])
        covariance = grouped_covariance(phi - means[y], base.groups(), self.settings.across)
        factor = torch.linalg.cholesky(covariance)
        base.location.copy_(means)
        base.below.copy_(factor.tril(-1))
        base.log_diagonal.copy_(factor.diagonal().log())
        rest = z[:, :, base.rest()]
        base.log_scale.copy_(rest.square().mean(0).clamp_min(1e-12).sqrt().log())
        return self
