"""A mixture of normal distributions over the lowest frequencies of a window, shared by all classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from preimage.bijection import Chain
from preimage.classify import ClassAndBitsLoss, ClassifierLoss, GenerativeClassifier
from preimage.eeg.low_frequency.features import fourier_features, low_signals
from preimage.errors import ShapeError
from preimage.flows import ClassWeightedMixture, Flow
from preimage.functional.event import zero_log_det
from preimage.layers import ActNorm, Surjection
from preimage.layers.surjection.surjection import Likelihood


class LowFrequencies(Surjection):
    r"""Windows to the coordinates of their low frequencies; all else is dropped.

    The coordinates are orthonormal and the weight is 0: a density behind this map is that of the low-passed
    window within the space of such windows. The way back gives the low-passed window.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, https://arxiv.org/abs/2007.02731,
    for maps that drop

    Args:
        channels: channels C.
        times: samples T of a window.
        rate: samples a second, in hertz.
        cutoff: highest frequency that stays, in hertz.

    Raises:
        ShapeError: a window has another shape.

    Cost: O(N C T D).

    Example:
        >>> LowFrequencies(21, 128, rate=64.0)(torch.zeros(2, 21, 128)).shape
        torch.Size([2, 63])
    """

    def __init__(self, channels: int, times: int, rate: float, cutoff: float = 0.5) -> None:
        super().__init__()
        self.channels, self.times, self.rate, self.cutoff = channels, times, rate, cutoff
        probe = fourier_features(torch.zeros(1, channels, times), rate, cutoff)
        self.features = probe[0].numel()

    @property
    def likelihood(self) -> Likelihood:
        """Forward drops."""
        return "exact"

    def forward_and_log_weight(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Coordinates ``(N, C D)``."""
        if x.shape[1:] != (self.channels, self.times):
            raise ShapeError(
                f"LowFrequencies: x has shape {tuple(x.shape)}, wanted (N, {self.channels}, {self.times})"
            )
        return fourier_features(x, self.rate, self.cutoff).flatten(1), zero_log_det(x)

    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Windows ``(N, C, T)`` without high frequencies."""
        coordinates = y.unflatten(1, (self.channels, -1))
        return low_signals(coordinates, self.times, self.rate, self.cutoff), zero_log_det(y)


class FourierMixture(GenerativeClassifier):
    r"""The Fourier mixture: a few numbers of every electrode, and components shared by the classes.

    :class:`LowFrequencies`, a learned standardisation of each number, and
    :class:`~preimage.flows.ClassWeightedMixture`. For 21 electrodes, 2 s and 0.5 Hz these are
    63 numbers: the mean and one slow wave of every electrode.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks

    Args:
        channels: channels C of a recording, such as electrodes.
        times: samples T of a window.
        rate: samples a second, in hertz.
        classes: number of classes, or their names.
        components: number of normal distributions.
        cutoff: highest frequency that stays, in hertz.
        priors: probabilities of the classes, equal by default.
        temperature: of the class probabilities at the start; learnt.
        loss: what ``fit`` minimises; half cross-entropy, half bits per dimension by default.

    Returns:
        As every :class:`~preimage.classify.GenerativeClassifier`, for windows ``(N, C, T)``; its densities
        are those of the low-passed windows.

    Raises:
        ShapeError: x has another shape.
        ValueError: a number is out of range.

    Cost: O(N C T) and a few small matrix products.

    Example:
        >>> model = FourierMixture(channels=21, times=128, rate=64.0).eval()
        >>> model.class_log_prob(torch.randn(5, 21, 128)).shape, model.base.dimensions()
        (torch.Size([5, 2]), 63)
    """

    def __init__(
        self,
        channels: int = 21,
        times: int = 128,
        rate: float = 64.0,
        classes: int | Sequence[str] = 2,
        *,
        components: int = 8,
        cutoff: float = 0.5,
        priors: Any = None,
        temperature: float = 1.0,
        loss: ClassifierLoss | None = None,
    ) -> None:
        low = LowFrequencies(channels, times, rate, cutoff)
        count = classes if isinstance(classes, int) else len(classes)
        mixture = ClassWeightedMixture(low.features, classes=count, components=components)
        flow = Flow(Chain(ActNorm(low.features)), mixture, surjection=low)
        loss = ClassAndBitsLoss() if loss is None else loss
        super().__init__(flow, classes, priors=priors, temperature=temperature, loss=loss)
        self.mixture, self.times = mixture, times

    def class_probabilities(self) -> Tensor:
        """How much every component speaks for a class ``(K, M)``; columns add up to 1."""
        return self.mixture.class_probabilities()

    @torch.no_grad()
    def component_windows(self) -> Tensor:
        """The mean of every component as a window ``(M, C, T)``, in the units of the data."""
        return self.flow.decode(self.mixture.location)
