"""Deep sigmoidal flow: an increasing network whose weights all come from a conditioner."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor

from preimage.functional.roots import certain_root
from preimage.functional.scalar.sigmoid_mixture import sigmoid_mixture
from preimage.layers.coupling.element_map import ElementMap

LOG_STEEPNESS, SHIFT, LOGIT = 3.0, 50.0, 7.0
"""How large the logarithm of a, b, and the logits of u and w become at most."""


class _Sizes(NamedTuple):
    """One layer: units that come in, sigmoids, units that go out."""

    sources: int
    sigmoids: int
    targets: int

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Numbers of inner logits (none for a single source), steepnesses, shifts and outer logits."""
        inner = self.sources * self.sigmoids if self.sources > 1 else 0
        return inner, self.sigmoids, self.sigmoids, self.targets * self.sigmoids


class Weights(NamedTuple):
    """The numbers of one layer, as ``sigmoid_mixture`` takes them."""

    inner: Tensor
    log_steepness: Tensor
    shift: Tensor
    outer: Tensor


@final
class DeepSigmoidMap(ElementMap):
    r"""Deep sigmoidal flow, :math:`h^{l+1} = \sigma^{-1}\big(w^l\, \sigma(a^l \odot u^l h^l + b^l)\big)`.

    An increasing network of one number: rows of u and w are probabilities, a is positive. It approximates any
    increasing function, and goes on in straight lines at both ends, so that its range is the whole line. All
    weights are softly bounded (a between 0.05 and 20, b by 50, logits by 7), so that no large output of a
    conditioner makes a map that is flat to rounding for all inputs.
    Inside of :class:`~preimage.layers.Autoregressive` it makes a neural autoregressive flow, inside of a
    :class:`~preimage.layers.Coupling` a neural coupling. The inverse brackets the root by the flattest and
    steepest sigmoids, searches it, checks it, and has implicit gradients.

    Reference: Huang, Krueger, Lacoste, Courville (2018), Neural autoregressive flows,
    https://arxiv.org/abs/1804.00779

    Args:
        units: number of sigmoids in each layer. Two layers of 8 take 176 parameters an element, a single
            layer 24.

    Raises:
        ValueError: no layer, or one without units.

    Cost: O(sum of squares of the units) an element forward; some ten times that in the inverse.

    Example:
        >>> layer = DeepSigmoidMap((4,))
        >>> x, raw = torch.tensor([1e6]), torch.zeros(1, layer.count)
        >>> layer.inverse_elements(layer.forward_elements(x, raw)[0], raw)[0]
        tensor([1000000.])
    """

    def __init__(self, units: Sequence[int] = (8, 8)) -> None:
        if not units or min(units) < 1:
            raise ValueError(f"DeepSigmoidMap: units are {tuple(units)}, wanted one or more positive numbers")
        targets = [*units[:-1], 1]
        layers = [_Sizes(*sizes) for sizes in zip([1, *units[:-1]], units, targets, strict=True)]
        super().__init__(count=sum(sum(layer.counts) for layer in layers))
        self.layers = layers

    def forward_elements(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network."""
        return _run(x, self._weights(raw))

    def inverse_elements(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Bracket the root by the steepest and flattest sigmoids, then search it."""
        weights = self._weights(raw)

        def function(x: Tensor) -> tuple[Tensor, Tensor]:
            value, log_slope = _run(x, weights)
            return value, log_slope.exp()

        x, slope = certain_root(function, y, *_bracket(y, weights))
        return x, -slope.log()

    def _weights(self, raw: Tensor) -> list[Weights]:
        parts = iter(raw.split([count for layer in self.layers for count in layer.counts], dim=-1))
        return [_of_raw(layer, *itertools.islice(parts, 4)) for layer in self.layers]

    def extra_repr(self) -> str:
        """The settings."""
        return f"units={tuple(layer.sigmoids for layer in self.layers)}"


def _run(x: Tensor, weights: list[Weights]) -> tuple[Tensor, Tensor]:
    """The value and the logarithm of its derivative, of the shape of x."""
    h, log_slope = x[..., None], torch.zeros_like(x)[..., None]
    for layer in weights:
        h, log_slope = sigmoid_mixture(h, log_slope, *layer)
    return h[..., 0], log_slope[..., 0]


@torch.no_grad()
def _bracket(y: Tensor, weights: list[Weights]) -> tuple[Tensor, Tensor]:
    """Where the network surely is below and above y.

    A mixture lies between the least and the largest of its sigmoids. So some sigmoid is at most y, hence one
    of its sources at most what that sigmoid takes to y, and so on down to x.
    """
    low = high = y
    for weight in reversed(weights):
        flatness = torch.exp(-weight.log_steepness)
        low = ((low[..., None] - weight.shift) * flatness).amin(-1)
        high = ((high[..., None] - weight.shift) * flatness).amax(-1)
    room = 1e-3 + 1e-3 * (high.abs() + low.abs())
    return low - room, high + room


def _of_raw(layer: _Sizes, inner: Tensor, steepness: Tensor, shift: Tensor, outer: Tensor) -> Weights:
    """Weights from raw numbers, of which zeros make sigmoids side by side: no two of them are alike."""
    like = {"dtype": shift.dtype, "device": shift.device}
    spread = torch.linspace(-1, 1, layer.sigmoids, **like) if layer.sigmoids > 1 else shift.new_zeros(1)
    near = 2 * torch.eye(layer.targets, layer.sigmoids, **like) if layer.targets > 1 else outer.new_zeros(1)
    if layer.sources == 1:
        inner = inner.new_zeros(layer.sigmoids)
    return Weights(
        _bounded(inner, LOGIT).unflatten(-1, (layer.sigmoids, layer.sources)),
        _bounded(steepness, LOG_STEEPNESS),
        _bounded(shift, SHIFT) + spread,
        _bounded(outer, LOGIT).unflatten(-1, (layer.targets, layer.sigmoids)) + near,
    )


def _bounded(raw: Tensor, bound: float) -> Tensor:
    """The number itself where it is small, never beyond the bound."""
    return bound * torch.tanh(raw / bound)
