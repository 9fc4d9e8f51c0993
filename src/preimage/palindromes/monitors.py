"""Watching, epoch by epoch, whether a network in training is a palindrome."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor

from preimage.palindromes.mirror import deviation
from preimage.palindromes.network import Palindrome
from preimage.training.history import Record


class Monitor(abc.ABC):
    """A listener of a training run that measures the network after every epoch.

    Args:
        palindrome: the network in training.

    Example:
        >>> issubclass(GramMonitor, Monitor)
        True
    """

    def __init__(self, palindrome: Palindrome) -> None:
        self.palindrome = palindrome
        self.curve: list[dict[str, float]] = []
        """One entry an epoch: value by layer."""

    @abc.abstractmethod
    def measure(self) -> Mapping[str, Tensor]:
        """Values by name of the layer, of the network as it is, in evaluation mode."""

    @torch.no_grad()
    def now(self) -> dict[str, float]:
        """Measure once, without adding to the curve."""
        training = self.palindrome.training
        self.palindrome.eval()
        try:
            return {name: value.item() for name, value in self.measure().items()}
        finally:
            self.palindrome.train(training)

    def __call__(self, record: Record) -> None:
        """Measure at the end of an epoch."""
        self.curve.append(self.now())


@final
class HiddenConsistency(Monitor):
    r"""Mean of :math:`|A - \bar A|` for every hidden state: A in the first half, :math:`\bar A` opposite.

    Args:
        palindrome: the network in training.
        x: inputs ``(N, *event)`` that were not trained on.

    Cost: one pass an epoch.

    Example:
        >>> from torch import nn
        >>> from preimage.palindromes import palindrome
        >>> network = palindrome(nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)), torch.zeros(1, 3))
        >>> max(HiddenConsistency(network, torch.rand(5, 3)).now().values()) < 1e-3
        True
    """  # noqa: E501

    def __init__(self, palindrome: Palindrome, x: Tensor) -> None:
        super().__init__(palindrome)
        self.x = x

    def measure(self) -> dict[str, Tensor]:
        """Both halves side by side."""
        names = self.palindrome.hidden_names()
        pairs = self.palindrome.hidden(self.x)
        return {name: (a - b).abs().mean() for name, (a, b) in zip(names, pairs, strict=True)}


@final
class GramMonitor(Monitor):
    """Mean of ``|V W - I|`` for every layer with a weight, V opposite W.

    Args:
        palindrome: the network in training.

    Cost: one matrix product a layer and epoch.

    Example:
        >>> from torch import nn
        >>> from preimage.palindromes import palindrome
        >>> GramMonitor(palindrome(nn.Linear(3, 2), torch.zeros(1, 3))).now()["0: Linear"] < 1e-6
        True
    """

    def measure(self) -> dict[str, Tensor]:
        """The deviation of every product from the identity."""
        return {name: deviation(gram) for name, gram in self.palindrome.grams()}
