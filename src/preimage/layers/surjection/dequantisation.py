"""Whole numbers as bins of a continuous variable."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from preimage.checks import reference_tensor
from preimage.domains import Interval
from preimage.errors import ShapeError
from preimage.layers.elementwise.whole_numbers import WholeNumbers
from preimage.layers.surjection.surjection import Likelihood, Surjection, check_values
from preimage.layers.surjection.unit_noise import UniformUnitNoise, UnitNoise


class Dequantisation(Surjection):
    r"""Spread whole numbers over their bins, :math:`y = (x + u) / L` with :math:`u \sim q(u \mid x)` in (0,
    1).

    The log-weight is :math:`-\log q(u \mid x) - D \log L` for D values, and averages of :math:`\log p(y) + w`
    bound the log-probability of x from below; divided by :math:`-D \log 2` they are bits per dimension. The
    way back rounds down. ``.inv`` is the rounding of a latent.

    Reference: Theis, van den Oord, Bethge (2016), A note on the evaluation of generative models,
    https://arxiv.org/abs/1511.01844; variational: Ho, Chen, Srinivas, Duan, Abbeel (2019), Flow++,
    https://arxiv.org/abs/1902.00275

    Args:
        levels: number L of levels, 256 for pictures of bytes.
        noise: the distribution q; uniform by default.

    Returns:
        y in (0, 1) of the shape of x ``(N, ...)``, ready for :class:`~preimage.layers.Logit`, and the
        log-weight ``(N,)``. x may hold bytes, other integers or whole floating-point numbers; the inverse
        returns the last.

    Raises:
        ValueError: there are fewer than two levels.
        ShapeError: x is not a tensor of numbers.
        DomainError: an x is not whole or not in 0 ... L - 1, or a y not in [0, 1).

    Cost: that of the noise.

    Example:
        >>> x = torch.tensor([[0, 255, 128]], dtype=torch.uint8)
        >>> surjection = Dequantisation(256)
        >>> y, log_weight = surjection.forward_and_log_weight(x)
        >>> surjection.inverse(y), round(log_weight.item() / math.log(256), 4)
        (tensor([[  0., 255., 128.]]), -3.0)
    """

    def __init__(self, levels: int = 256, noise: UnitNoise | None = None) -> None:
        super().__init__()
        if levels < 2:
            raise ValueError(f"Dequantisation: levels is {levels}, wanted 2 or more, such as 256")
        self.levels = levels
        self.noise = UniformUnitNoise() if noise is None else noise

    @property
    def likelihood(self) -> Likelihood:
        """Forward draws."""
        return "bound"

    def forward_and_log_weight(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Spread."""
        whole = self._as_floats(x)
        domain = WholeNumbers(0, self.levels - 1)
        check_values("Dequantisation.forward_and_log_weight", "x", whole, domain, self.noise)
        u, log_prob = self.noise.sample_and_log_prob(whole / self.levels, generator)
        low, high = whole / self.levels, _below((whole + 1) / self.levels)
        y = torch.maximum(torch.minimum((whole + u) / self.levels, high), low)
        return y, -log_prob - self._log_levels(y)

    def middle(self, x: Tensor) -> Tensor:
        """The middle of every bin, ``(x + 1/2) / L``."""
        whole = self._as_floats(x)
        check_values("Dequantisation.middle", "x", whole, WholeNumbers(0, self.levels - 1), self.noise)
        return (whole + 0.5) / self.levels

    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Round down."""
        domain = _HalfOpen(0, 1)
        check_values("Dequantisation.inverse_and_log_weight", "y", y, domain, self.noise)
        x = torch.floor(y * self.levels)  # off by one where the product rounds across a border
        x = torch.where(x / self.levels > y, x - 1, x)
        x = torch.where((x + 1) / self.levels <= y, x + 1, x)
        log_prob = self.noise.log_prob(y * self.levels - x, x / self.levels)
        return x, log_prob + self._log_levels(y)

    def extra_repr(self) -> str:
        """The number of levels."""
        return f"levels={self.levels}"

    def _as_floats(self, x: Tensor) -> Tensor:
        if not isinstance(x, Tensor) or x.is_complex() or x.dtype == torch.bool:
            came = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise ShapeError(f"Dequantisation: x holds {came}, wanted whole numbers; write x.long()")
        if x.is_floating_point():
            return x
        like = reference_tensor(self.noise)
        return x.to(torch.get_default_dtype() if like is None else like.dtype)

    def _log_levels(self, y: Tensor) -> Tensor:
        return y.new_full((y.shape[0],), math.prod(y.shape[1:]) * math.log(self.levels))


class _HalfOpen(Interval):
    """The numbers from a lower bound, which belongs to the set, to an upper one, which does not."""

    def outside(self, x: Tensor) -> Tensor:
        """Below the lower bound, or not below the upper one."""
        return (x < self.low) | (x >= self.high)

    def __str__(self) -> str:
        return f"[{self.low:g}, {self.high:g})"


def _below(x: Tensor) -> Tensor:
    """The largest numbers below x."""
    return torch.nextafter(x, torch.full_like(x, -math.inf))
