"""Keep the largest value of every window."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.event import sum_event
from preimage.functional.signals.phases import gather_phases, scatter_phases
from preimage.layers.convolution.downsampling import Patches
from preimage.layers.surjection.positive_noise import PositiveNoise
from preimage.layers.surjection.surjection import Likelihood, Surjection, check_values


class MaxPoolSurjection(Surjection):
    r"""Max pooling, :math:`y = \max_j x_j` over windows; the way back draws the place of the maximum and the
    rest.

    The rest of a window are F - 1 gaps :math:`e_j = y - x_j \ge 0`. The log-weight of pooling is
    :math:`\sum \log p(k \mid y) + \log q(e \mid y)` with k the place of the maximum, and the log-density is
    exact. ``.inv`` is the generative form: data that are maxima of a larger latent.

    Reference: Nielsen, Jaini, Hoogeboom, Winther, Welling (2020), SurVAE flows, table 3 (max) and section 4,
    https://arxiv.org/abs/2007.02731

    Args:
        channels: number C of channels of x.
        factors: sizes of the windows; ``(2,)`` for signals, a number f for ``(f, f)``.
        noise: the distribution of the gaps, with C (F - 1) channels, those of a channel of y side by side;
            :class:`~preimage.layers.ExponentialNoise` or :class:`~preimage.layers.HalfNormalNoise`.
        conditioner: module from y ``(N, C, h, w)`` to log-odds ``(N, C F, h, w)`` of the places, those of a
            channel side by side; all places are equally likely by default.

    Returns:
        y ``(N, C, H / f, W / f)``, and the log-weight ``(N,)``.

    Raises:
        ShapeError: x has other channels, or a size is not a multiple of its factor.
        ValueError: the window has one place only, or the noise another number of channels.

    Cost: one run of the conditioner and of the noise.

    Example:
        >>> from preimage.layers import ExponentialNoise
        >>> pool = MaxPoolSurjection(3, 2, ExponentialNoise(9))
        >>> x = torch.randn(1, 3, 4, 6)
        >>> torch.equal(pool(x), torch.nn.functional.max_pool2d(x, 2))
        True
    """

    def __init__(
        self,
        channels: int,
        factors: int | Sequence[int],
        noise: PositiveNoise,
        conditioner: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.factors = (factors, factors) if isinstance(factors, int) else tuple(factors)
        self.window = math.prod(self.factors)
        if self.window < 2 or min(self.factors) < 1:
            raise ValueError(
                f"MaxPoolSurjection: factors are {factors}, wanted windows of two or more places"
            )
        if noise.channels != channels * (self.window - 1):
            raise ValueError(
                f"MaxPoolSurjection: the noise has {noise.channels} channels, wanted"
                f" {channels * (self.window - 1)}: {self.window - 1} gaps for each of {channels} channels"
            )
        self.channels, self.noise, self.conditioner = channels, noise, conditioner

    @property
    def likelihood(self) -> Likelihood:
        """Forward drops."""
        return "exact"

    def forward_and_log_weight(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Pool."""
        domain = Patches(self.channels, self.factors)
        check_values("MaxPoolSurjection.forward_and_log_weight", "x", x, domain, self.noise)
        windows = gather_phases(x, self.factors)  # (N, C, F, h, w)
        y, place = windows.max(dim=2)
        rest = windows.gather(2, _others(place, self.window))  # (N, C, F - 1, h, w)
        return y, self._log_prob(place, (y[:, :, None] - rest).flatten(1, 2), y)

    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw the places and the gaps."""
        domain = Reals(self.channels, *[None] * len(self.factors))
        check_values("MaxPoolSurjection.inverse_and_log_weight", "y", y, domain, self.noise)
        place = _draw(self._log_place(y), generator)
        gaps = self.noise.sample(y, generator)  # (N, C (F - 1), h, w)
        rest = y[:, :, None] - gaps.unflatten(1, (self.channels, -1))
        windows = torch.cat([y[:, :, None], rest], dim=2)  # the maximum first
        numbers = torch.arange(self.window, device=y.device).view(-1, *[1] * len(self.factors))
        place = place[:, :, None]
        source = torch.where(numbers == place, 0, torch.where(numbers < place, numbers + 1, numbers))
        x = scatter_phases(windows.gather(2, source), self.factors)
        return x, -self._log_prob(place[:, :, 0], gaps, y)

    def _log_place(self, y: Tensor) -> Tensor:
        """Log-probabilities of the places ``(N, C, F, h, w)``."""
        if self.conditioner is None:
            return y.new_full((), -math.log(self.window)).expand(*y.shape[:2], self.window, *y.shape[2:])
        return self.conditioner(y).to(y.dtype).unflatten(1, (self.channels, -1)).log_softmax(2)

    def _log_prob(self, place: Tensor, gaps: Tensor, y: Tensor) -> Tensor:
        chosen = self._log_place(y).gather(2, place[:, :, None])
        return sum_event(chosen) + self.noise.log_prob(gaps, y)


def _others(place: Tensor, window: int) -> Tensor:
    """The places of a window without one ``(N, C, F - 1, h, w)``, in order."""
    numbers = torch.arange(window - 1, device=place.device).view(-1, *[1] * (place.dim() - 2))
    return torch.where(numbers < place[:, :, None], numbers, numbers + 1)


def _draw(log_prob: Tensor, generator: torch.Generator | None) -> Tensor:
    """One place a window ``(N, C, h, w)``: the first whose cumulated probability exceeds a random number."""
    cumulated = log_prob.exp().cumsum(2)  # (N, C, F, h, w)
    shape = (*log_prob.shape[:2], 1, *log_prob.shape[3:])
    uniform = torch.rand(shape, generator=generator, dtype=log_prob.dtype, device=log_prob.device)
    return (cumulated <= uniform * cumulated[:, :, -1:]).sum(2).clamp_max(log_prob.shape[2] - 1)
