"""A mixture of normal distributions over the lowest frequencies of a window, shared by all classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from preimage.bijection import Chain
from preimage.checks import Context
from preimage.classify import ClassAndBitsLoss, ClassifierLoss, GenerativeClassifier
from preimage.eeg.low_frequency import fourier_features, low_signals
from preimage.errors import ShapeError
from preimage.flows import ClassConditional, Flow
from preimage.flows.bases.class_conditional.densities import diagonal_log_prob
from preimage.functional.event import zero_log_det
from preimage.layers import ActNorm, Surjection
from preimage.layers.surjection.surjection import Likelihood


class SharedComponents(ClassConditional):
    r"""Normal components that all classes share, each class with weights of its own.

    .. math:: \log p(z \mid c) = \log \sum_k \operatorname{softmax}(W_c)_k\,
        \mathcal N(z;\, m_k, \operatorname{diag} s_k^2)

    What tells the classes apart is only how often a component occurs, so a component can be shown with the
    probability of the classes beside it.

    Reference: Bishop (2006), Pattern recognition and machine learning, section 9.2, for mixtures;
    Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography, for weights of
    classes.

    Args:
        features: D.
        classes: number of classes K, two or more.
        components: number of normal distributions M.

    Raises:
        ValueError: a number is out of range.
        ContextError: the context does not hold integer labels of known classes.

    Cost: three matrix products, O(N M D).

    Example:
        >>> SharedComponents(63, classes=2, components=8).class_log_prob(torch.zeros(5, 63)).shape
        torch.Size([5, 2])
    """

    def __init__(self, features: int, classes: int, components: int = 8) -> None:
        super().__init__((features,))
        if classes < 2 or components < 1:
            raise ValueError(
                f"SharedComponents: classes is {classes}, components {components}, wanted 2 and 1 or more"
            )
        self.classes, self.components = classes, components
        self.location = nn.Parameter(0.1 * torch.randn(components, features))
        self.log_scale = nn.Parameter(0.1 * torch.randn(components, features))
        self.weight_logits = nn.Parameter(torch.zeros(classes, components))

    def class_log_prob(self, z: Tensor) -> Tensor:
        """The log-density of every row under every class, ``(N, K)``."""
        each = diagonal_log_prob(z, self.location, self.log_scale)  # (N, M)
        return (each[:, None] + self.weight_logits.log_softmax(dim=1)).logsumexp(dim=2)

    def class_centres(self) -> Tensor:
        """The mean of the component that says most for a class, ``(K, D)``."""
        return self.location[self.class_probabilities().argmax(dim=1)]

    def class_probabilities(self) -> Tensor:
        r"""How much every component speaks for a class, :math:`p(c \mid k)` at equal priors, ``(K, M)``."""
        shares = self.weight_logits.detach().softmax(dim=1)
        return shares / shares.sum(dim=0)

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """Latents of the classes of the context ``(N, D)``."""
        shares = self.weight_logits.detach().softmax(dim=1)[self.labels(context)]  # (N, M)
        chosen = torch.multinomial(shares, 1, replacement=True, generator=generator)[:, 0]
        location = self.location[chosen]
        standard = torch.empty_like(location).normal_(generator=generator)
        return location + self.log_scale[chosen].exp() * standard

    @property
    def reparametrised(self) -> bool:
        """No: the choice of a component is not differentiable."""
        return False


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

    :class:`LowFrequencies`, a learned standardisation of each number, and :class:`SharedComponents`. For 21
    electrodes, 2 s and 0.5 Hz these are 63 numbers: the mean and one slow wave of every electrode.

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
        mixture = SharedComponents(low.features, count, components)
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
