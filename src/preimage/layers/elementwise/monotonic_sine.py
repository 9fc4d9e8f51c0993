"""A sine on a slope steep enough to keep it rising."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.event import align_event
from preimage.functional.roots import newton_root
from preimage.layers.elementwise.elementwise import Elementwise


class MonotonicSine(Elementwise):
    r"""Line plus sine, :math:`y = x + \frac{a}{b} \sin(b x)` with :math:`|a| \le A < 1`, rising everywhere.

    The periodic bijection of the line that a plain sine is not. Amplitude :math:`a = A \tanh r` and frequency
    :math:`b = e^s` are learnt; the slope :math:`1 + a \cos(b x)` stays between 1 - A and 1 + A. The inverse
    is Kepler's equation, solved by Newton's method from a start that converges for every A up to 0.95.
    log_det is :math:`\sum \log(1 + a \cos(b x))`.

    Reference: periodic activations: Ziyin, Hartwig, Ueda (2020), https://arxiv.org/abs/2006.08195; the start:
    Danby (1987), The solution of Kepler's equation III, https://doi.org/10.1007/BF01238847

    Args:
        shape: sizes of the first event dimensions that have a sine of their own: ``()`` one for all,
            ``features`` one per feature or channel, ``(C, H, W)`` one per position. Starts as the identity.
        frequency: first value of every b, positive.
        limit: largest amplitude A, between 0 and 0.95.

    Returns:
        y of the shape of x ``(N, *shape, ...)``, and log_det ``(N,)``.

    Raises:
        ShapeError: x does not begin with these sizes.
        ValueError: the frequency or the limit is out of range.

    Cost: O(numel(x)) forward, ten times that in the inverse.

    Example:
        >>> import torch
        >>> layer = MonotonicSine(2)
        >>> _ = torch.nn.init.constant_(layer.raw_amplitude, 1.0)
        >>> x = torch.tensor([[0.5, 9.0]])
        >>> torch.allclose(layer.inverse(layer(x)), x)
        True
    """

    def __init__(
        self, shape: int | Sequence[int] = (), frequency: float = math.pi, limit: float = 0.9
    ) -> None:
        super().__init__()
        if not (0 < frequency < math.inf and 0 < limit <= 0.95):
            raise ValueError(
                f"MonotonicSine: frequency {frequency} and limit {limit}, wanted a positive frequency and a"
                " limit between 0 and 0.95"
            )
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        self.limit = limit
        self.domain = self.codomain = Reals(*sizes, ...)
        self.raw_amplitude = nn.Parameter(torch.zeros(sizes))
        self.log_frequency = nn.Parameter(torch.full(sizes, math.log(frequency)))

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Add the sine."""
        amplitude, frequency = self._settings(x)
        angle = frequency * x
        return x + amplitude / frequency * angle.sin(), (amplitude * angle.cos()).log1p()

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Solve Kepler's equation for the angle."""
        amplitude, frequency = self._settings(y)
        angle = _kepler(frequency * y, amplitude)
        return angle / frequency, -(amplitude * angle.cos()).log1p()

    def _settings(self, x: Tensor) -> tuple[Tensor, Tensor]:
        amplitude = self.limit * self.raw_amplitude.tanh()
        return align_event(amplitude, x), align_event(self.log_frequency.exp(), x)

    def extra_repr(self) -> str:
        """The largest amplitude."""
        return f"limit={self.limit}"


def _kepler(mean: Tensor, amplitude: Tensor) -> Tensor:
    """u with u + a sin u = v, one turn at a time."""
    turns = (mean.detach() / (2 * math.pi)).round() * (2 * math.pi)
    mean = mean - turns
    half = torch.where(amplitude > 0, math.pi, 0.0).to(mean.dtype)  # the side on which the slope is small
    flat = torch.remainder(mean.detach() - half + math.pi, 2 * math.pi) - math.pi
    start = mean.detach() + 0.85 * amplitude.detach().abs() * flat.sign()
    return turns + newton_root(lambda u: (u + amplitude * u.sin(), 1 + amplitude * u.cos()), mean, start)
