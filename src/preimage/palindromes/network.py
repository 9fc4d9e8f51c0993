"""A network that reads the same forwards and backwards: an encoder, then its layer-wise inverse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from preimage.certificate import Certificate, OnError, enforce, relative_residual
from preimage.errors import ShapeError
from preimage.palindromes.fit import Reconstruction, mean_square
from preimage.palindromes.mirror import Mirror
from preimage.palindromes.mirror_of import mirror_of
from preimage.palindromes.pseudo_inverse import PseudoInverse
from preimage.palindromes.tie import Tie
from preimage.training import FitSettings, History, fit
from preimage.training.history import Listener


@final
class Palindrome(nn.Module):
    r"""Layers :math:`f_1, \dots, f_L` and their mirror images, :math:`g_1 \circ \dots \circ g_L \circ f_L \dots f_1`.

    An autoencoder whose decoder undoes the encoder layer by layer. With pseudo-inverse ties and contracting
    layers of full rank, encode(decode(c)) = c for every code c: decode is an exact right inverse, and
    decode(encode(x)) the reconstruction of x.

    Args:
        *mirrors: layers with their mirror images, in the order of the encoder.

    Returns:
        The reconstruction, of the shape of x ``(N, *event)``.

    Raises:
        ShapeError: no layers.

    Cost: twice the encoder, and what the ties need.

    Example:
        >>> from preimage.palindromes import palindrome
        >>> network = palindrome(nn.Sequential(nn.Linear(6, 4), nn.LeakyReLU(0.3), nn.Linear(4, 2)), torch.zeros(1, 6))
        >>> code = torch.randn(3, 2)
        >>> torch.allclose(network.encode(network.decode(code)), code, atol=1e-4)
        True
    """  # noqa: E501

    def __init__(self, *mirrors: Mirror) -> None:
        super().__init__()
        if not mirrors:
            raise ShapeError("Palindrome: got no layers, wanted one or more")
        self.layers = nn.ModuleList(mirrors)

    def encode(self, x: Tensor) -> Tensor:
        """The code ``(N, *code)`` of inputs ``(N, *event)``."""
        for layer in self.mirrors():
            x = layer(x)
        return x

    def decode(self, code: Tensor) -> Tensor:
        """The input ``(N, *event)`` that the second half makes of codes ``(N, *code)``."""
        for layer in reversed(self.mirrors()):
            code = layer.mirror(code)
        return code

    def forward(self, x: Tensor) -> Tensor:
        """decode(encode(x))."""
        return self.decode(self.encode(x))

    def mirrors(self) -> list[Mirror]:
        """The layers in the order of the encoder."""
        return [layer for layer in self.layers if isinstance(layer, Mirror)]

    def hidden(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The hidden states in the first half and in the second, from the first layer with parameters on.

        What stands before that layer is an input, and the code is left out.

        Args:
            x: inputs ``(N, *event)``.

        Returns:
            One pair ``(A, A_bar)`` for each name in :meth:`hidden_names`; equal where the network is a
            palindrome.
        """
        first = [x]
        for layer in self.mirrors():
            first.append(layer(first[-1]))
        second = [first[-1]]
        for layer in reversed(self.mirrors()[1:]):
            second.append(layer.mirror(second[-1]))
        pairs = list(zip(first[1:-1], reversed(second[1:]), strict=True))
        return pairs[self._inputs() :]

    def hidden_names(self) -> list[str]:
        """Names of the layers behind which the states of :meth:`hidden` stand."""
        return self.names()[self._inputs() : -1]

    def _inputs(self) -> int:
        """How many layers stand before the first one with parameters."""
        learnt = (i for i, layer in enumerate(self.mirrors()) if next(layer.parameters(), None) is not None)
        return next(learnt, 0)

    def grams(self) -> Iterator[tuple[str, Tensor]]:
        """Name and product of both weights for every layer that has a weight, see :meth:`Mirror.gram`."""
        for name, layer in zip(self.names(), self.mirrors(), strict=True):
            gram = layer.gram()
            if gram is not None:
                yield name, gram

    def names(self) -> list[str]:
        """A name for every layer: its place and its class."""
        return [f"{place}: {_title(layer)}" for place, layer in enumerate(self.mirrors())]

    def certified_decode(
        self, code: Tensor, *, tolerance: float | None = None, on_error: OnError = "raise"
    ) -> tuple[Tensor, Certificate]:
        r"""decode(c) with its residual :math:`|encode(decode(c)) - c| / |c|`, in evaluation mode.

        Args:
            code: ``(N, *code)``.
            tolerance: largest residual; ``sqrt(eps)`` of the dtype by default.
            on_error: what to do about samples that fail: ``"raise"``, ``"warn"``, or ``"nan"``.

        Raises:
            NotConvergedError: some sample failed, and ``on_error`` is ``"raise"``.
        """
        training = self.training
        self.eval()
        try:
            x = self.decode(code)
            with torch.no_grad():
                residual = relative_residual(self.encode(x), code)
        finally:
            self.train(training)
        limit = torch.finfo(residual.dtype).eps ** 0.5 if tolerance is None else tolerance
        certificate = Certificate(residual, residual <= limit)
        return enforce(x, certificate, on_error, "Palindrome.decode"), certificate

    def fit(
        self,
        data: Any,
        settings: FitSettings | None = None,
        *,
        objective: Reconstruction | None = None,
        validation: Any = None,
        listeners: Sequence[Listener] = (),
    ) -> History:
        """Train the network to reconstruct, see :func:`preimage.training.fit`.

        Args:
            data: inputs ``(N, *event)``, or a ``Dataset``.
            settings: of the run.
            objective: what to minimise; the mean square error by default.
            validation: inputs to validate with; by default a share of the data.
            listeners: such as :class:`~preimage.palindromes.HiddenConsistency`.

        Returns:
            One record an epoch.

        Example:
            >>> from preimage.palindromes import palindrome
            >>> network = palindrome(nn.Linear(4, 2), torch.zeros(1, 4))
            >>> history = network.fit(torch.randn(64, 4), FitSettings(epochs=2, progress=False))
            >>> len(history)
            2
        """
        wanted = Reconstruction(mean_square) if objective is None else objective
        return fit(self, wanted, data, settings, validation=validation, listeners=listeners)


def _title(layer: Mirror) -> str:
    inner = next(layer.children(), layer)
    return type(inner if type(inner).__module__.startswith("torch.nn") else layer).__name__


def palindrome(encoder: nn.Module, example: Tensor, tie: Tie | None = None) -> Palindrome:
    """The palindromic network of an encoder: the encoder, then its layer-wise inverse.

    Args:
        encoder: a layer, or an ``nn.Sequential`` (also nested) of dense layers, convolutions, activations,
            flatten, dropout, batch norm and bijections of the library. Its weights are shared, except where
            a tie says otherwise.
        example: an input ``(N, *event)``; only its shape matters.
        tie: how the second half gets its weights, :class:`PseudoInverse` by default.

    Returns:
        The palindrome.

    Raises:
        NotInvertibleError: a layer has no mirror image, with the layer.
        ShapeError: the example does not fit.

    Cost: one forward pass of the example.

    Example:
        >>> encoder = nn.Sequential(nn.Linear(784, 192), nn.LeakyReLU(0.3), nn.Linear(192, 128),
        ...                         nn.LeakyReLU(0.3), nn.Linear(128, 64))
        >>> sum(p.numel() for p in palindrome(encoder, torch.zeros(1, 784)).parameters())
        183680
    """
    tie = PseudoInverse() if tie is None else tie
    like = next((p for p in encoder.parameters() if p.is_floating_point()), torch.empty(0))
    value = torch.zeros(1, *example.shape[1:], dtype=like.dtype, device=like.device)
    mirrors = []
    for module in _layers(encoder):
        mirrors.append(mirror_of(module, tie, tuple(value.shape[1:])))
        value = _run(mirrors[-1], module, value)
    return Palindrome(*mirrors)


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        for inner in module:
            yield from _layers(inner)
    else:
        yield module


@torch.no_grad()
def _run(mirror: Mirror, module: nn.Module, value: Tensor) -> Tensor:
    training = mirror.training
    mirror.eval()  # an example of zeros must not move statistics
    try:
        return mirror(value)
    except (RuntimeError, ValueError) as error:
        raise ShapeError(f"palindrome: {module} does not take {tuple(value.shape)}: {error}") from error
    finally:
        mirror.train(training)
