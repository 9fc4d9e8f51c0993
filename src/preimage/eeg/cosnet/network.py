"""EEG-CosNet: a classifier that can be read, made of waveforms and where on the head they are looked for."""

from __future__ import annotations

import abc
import math
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.eeg.cosnet.windows import magnitudes
from preimage.errors import ShapeError
from preimage.training import FitSettings, History, fit
from preimage.training.batches import Batch


class CosNet(nn.Module, abc.ABC):
    r"""Cosine similarity of waveforms with windows of spatially filtered recordings.

    .. math:: \phi_f = \frac{\sqrt n}{T - K + 1} \sum_t |q_f(t)|, \qquad
        h = \sum_f (a_f \phi_f + b_f), \qquad p(c = 1 \mid x) = \frac{1}{1 + e^{-h}}

    q is a cosine in :math:`[-1, 1]`, so the features depend neither on the amplitude nor on the polarity of a
    recording. With K > 2 classes there is one such sum h for every class, and a softmax. Subclasses say what
    a window is compared with, and the number n of its values.

    Args:
        channels: channels C of a recording, such as electrodes.
        classes: number of classes, two or more.
        filters: number F of pairs of a spatial and a temporal filter.
        window: samples K of a temporal filter.

    Raises:
        ValueError: a size is out of range.

    Example:
        >>> issubclass(EEGCosNet, CosNet) and issubclass(PatchCosNet, CosNet)
        True
    """

    def __init__(self, channels: int = 21, classes: int = 2, filters: int = 64, window: int = 64) -> None:
        super().__init__()
        if min(channels, filters, window) < 1 or classes < 2:
            raise ValueError(
                f"{type(self).__name__}: channels is {channels}, classes {classes}, filters {filters}, window"
                f" {window}; wanted two classes or more, and 1 or more of the others"
            )
        self.channels, self.classes, self.filters, self.window = channels, classes, filters, window
        sums = 1 if classes == 2 else classes  # one sum of evidence is enough for two classes
        self.spatial = nn.Parameter(0.2 * torch.randn(channels, filters))
        self.temporal = nn.Parameter(0.2 * torch.randn(filters, window))
        self.weight = nn.Parameter(torch.zeros(sums, filters))
        self.bias = nn.Parameter(torch.zeros(sums, filters))
        self.history = History()

    @abc.abstractmethod
    def similarities(self, x: Tensor) -> Tensor:
        """The cosine of every filter with every window, ``(N, F, T - K + 1)``, for x ``(N, C, T)``."""

    @abc.abstractmethod
    def compared(self) -> int:
        """How many values a cosine compares, n: the feature of white noise is then about 0.8."""

    def features(self, x: Tensor) -> Tensor:
        r"""The features :math:`\phi`, ``(N, F)``, for x ``(N, C, T)``."""
        return self.similarities(self.checked(x)).abs().mean(dim=2) * math.sqrt(self.compared())

    def logits(self, x: Tensor) -> Tensor:
        """Log-probabilities of the classes up to a constant, ``(N, K)``; for two classes ``(0, h)``."""
        return self.class_evidence(self.features(x))

    def class_evidence(self, features: Tensor) -> Tensor:
        """The logits ``(N, K)`` of features ``(N, F)``."""
        sums = features @ self.weight.mT + self.bias.sum(dim=1)  # (N, 1) or (N, K)
        return functional.pad(sums, (1, 0)) if self.classes == 2 else sums

    def forward(self, x: Tensor) -> Tensor:
        """The logits ``(N, K)``."""
        return self.logits(x)

    @torch.no_grad()
    def predict_proba(self, x: Tensor) -> Tensor:
        """The probabilities of the classes ``(N, K)``."""
        return torch.cat([self.logits(part).softmax(dim=1) for part in x.split(1000)])

    def predict(self, x: Tensor) -> Tensor:
        """The most probable class of every recording ``(N,)``."""
        return self.predict_proba(x).argmax(dim=1)

    def fit(self, x: Any, targets: Any, *, validation: Any = None, **settings: Any) -> Self:
        """Minimise the cross-entropy with labels, or with the probabilities of another classifier.

        Args:
            x: tensor or array ``(N, C, T)``.
            targets: classes ``(N,)``, or probabilities ``(N, K)``.
            validation: a tuple of data and targets of the same kind; a share of the rows by default.
            **settings: see :class:`~preimage.training.FitSettings`; by default 100 epochs at learning rate
                0.01 with batches of 64.

        Returns:
            The network itself, with the weights of the best validation loss and the run in ``history``.

        Raises:
            ShapeError: the targets do not fit the classes.
        """
        chosen = {"learning_rate": 1e-2, "batch_size": 64} | settings
        self.history = fit(
            self,
            _cross_entropy,
            x,
            FitSettings(**chosen),
            context=self._checked_targets(targets),
            validation=validation,
        )
        return self

    def distil(self, teacher: Any, x: Any, *, validation: Any = None, **settings: Any) -> Self:
        """Learn what another classifier says, from its probabilities.

        Args:
            teacher: anything with ``predict_proba(x)``, such as an :class:`~preimage.eeg.EEGInvNet`.
            x: recordings ``(N, C, T)``; labels are not needed.
            validation: further recordings to validate with; a share of the rows by default.
            **settings: as for :meth:`fit`.

        Returns:
            The network itself.
        """
        recordings = torch.as_tensor(x)
        held = None if validation is None else torch.as_tensor(validation)
        pair = None if held is None else (held, teacher.predict_proba(held))
        return self.fit(recordings, teacher.predict_proba(recordings), validation=pair, **settings)

    def order(self, label: int = 1) -> Tensor:
        """The filters in the order of their weights for a class, ``(F,)``: most evidence for it first."""
        return self.class_weights()[label].argsort(descending=True)

    def class_weights(self) -> Tensor:
        """The weight of every filter for every class ``(K, F)``; for two classes of opposite signs."""
        weight = self.weight.detach()
        return torch.cat([-weight, weight]) if self.classes == 2 else weight - weight.mean(dim=0)

    def window_centres(self, times: int, rate: float) -> Tensor:
        """The middles of all windows in seconds ``(T - K + 1,)``.

        At 64 Hz and with windows of 64 samples they run from 0.5 to 1.5 s of a recording of 2 s.
        """
        return (torch.arange(times - self.window + 1) + self.window / 2) / rate

    def checked(self, x: Tensor) -> Tensor:
        """The recordings, refused where their shape does not fit."""
        if x.dim() != 3 or x.shape[1] != self.channels or x.shape[2] < self.window:
            raise ShapeError(
                f"{type(self).__name__}: x has shape {tuple(x.shape)}, wanted (N, {self.channels}, T) with T"
                f" of {self.window} samples or more"
            )
        return x

    def _checked_targets(self, targets: Any) -> Tensor:
        given = torch.as_tensor(targets)
        fits = given.dim() == 1 or given.shape[1:] == (self.classes,)
        if not fits or (given.dim() == 1) == given.is_floating_point():
            raise ShapeError(
                f"{type(self).__name__}.fit: targets are {tuple(given.shape)} of {given.dtype}, wanted whole"
                f" numbers (N,), or probabilities (N, {self.classes})"
            )
        return given


class EEGCosNet(CosNet):
    r"""EEG-CosNet: every spatially filtered signal is compared with one waveform, window by window.

    .. math:: s_f = W_f^\top x, \qquad
        q_f(t) = \frac{\langle s_f[t : t + K],\, w_f\rangle}{\|s_f[t : t + K]\|\, \|w_f\|}

    5,568 parameters for 21 electrodes, 64 filters and windows of 64 samples. Flat signals have a cosine of 0
    and finite gradients. See :class:`CosNet` for what follows.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks

    Args:
        channels: channels C of a recording, such as electrodes.
        classes: number of classes, two or more.
        filters: number F of pairs of a spatial and a temporal filter.
        window: samples K of a temporal filter; 64 are one second at 64 Hz.

    Returns:
        Logits ``(N, K)`` for x ``(N, C, T)``; for two classes ``(0, h)``, so a softmax gives
        :math:`\sigma(h)`.

    Raises:
        ShapeError: x has another number of channels, or fewer samples than a window.
        ValueError: a size is out of range.

    Cost: ``F * (C + K)`` products a sample.

    Example:
        >>> net = EEGCosNet(channels=21)
        >>> sum(parameter.numel() for parameter in net.parameters())
        5568
        >>> x = torch.randn(3, 21, 128)
        >>> torch.allclose(net.features(x), net.features(-1000 * x), rtol=1e-4)
        True
    """

    def similarities(self, x: Tensor) -> Tensor:
        """Cosines with windows of the spatially filtered signals."""
        signals = torch.einsum("nct,cf->nft", x, self.spatial)
        products = functional.conv1d(signals, self.temporal[:, None], groups=self.filters)  # (N, F, windows)
        lengths = magnitudes(signals, self.window)  # (N, F, windows)
        return products / (lengths * magnitudes(self.temporal[None], self.window)[:, :, :1])

    def compared(self) -> int:
        """The samples of a window."""
        return self.window


class PatchCosNet(CosNet):
    r"""The variant that compares whole patches, all channels of a window at once.

    .. math:: q_f(t) = \frac{\langle x[:, t : t + K],\, W_f w_f^\top\rangle}
        {\|x[:, t : t + K]\|\, \|W_f\|\, \|w_f\|}

    A filter now competes with everything that happens in a window, not only with what its spatial filter
    lets through. Sizes as :class:`EEGCosNet`.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks

    Args:
        channels, classes, filters, window: as for :class:`EEGCosNet`.

    Returns:
        Logits ``(N, K)`` for x ``(N, C, T)``.

    Raises:
        ShapeError: x has another number of channels, or fewer samples than a window.
        ValueError: a size is out of range.

    Cost: ``F * (C + K)`` products a sample.

    Example:
        >>> PatchCosNet(channels=3, window=8)(torch.zeros(2, 3, 10)).shape
        torch.Size([2, 2])
    """

    def similarities(self, x: Tensor) -> Tensor:
        """Cosines with patches of all channels."""
        signals = torch.einsum("nct,cf->nft", x, self.spatial)
        products = functional.conv1d(signals, self.temporal[:, None], groups=self.filters)  # (N, F, windows)
        patches = magnitudes(x, self.window).square().sum(dim=1, keepdim=True).sqrt()  # (N, 1, windows)
        own = magnitudes(self.temporal[None], self.window)[:, :, :1]  # (1, F, 1)
        across = magnitudes(self.spatial.mT[None], self.channels)  # (1, F, 1)
        return products / (patches * own * across)

    def compared(self) -> int:
        """The samples of a window in all channels."""
        return self.window * self.channels


def _cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """With labels or with probabilities, ``(B,)``."""
    x, targets = batch
    return functional.cross_entropy(model(x), targets, reduction="none")
