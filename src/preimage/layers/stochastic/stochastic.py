"""Base class of random steps, with what they contribute to an importance weight."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from preimage import checks
from preimage.domains import Reals
from preimage.errors import ShapeError

LogDensity = Callable[[Tensor], Tensor]
"""A log-density, up to a constant: from ``(N, *event)`` to ``(N,)``, rows independent of each other."""


class Stochastic(nn.Module, abc.ABC):
    r"""A random step in both directions, and the log-weight of the path that it takes.

    Not a bijection: running it there and back leads somewhere else. What it returns instead of a log_det, in
    the same place of the same sums, compares how likely the step is backwards and forwards,

    .. math:: w = \log \frac{q(\text{back})}{q(\text{there})},

    so that for a path from a latent z to data x through any layers, with log_dets or weights :math:`w_i`,

    .. math:: W = \log p(x) - \log p_Z(z) + \sum_i w_i

    is the logarithm of an importance weight: :math:`\mathbb E[e^W]` is the normalising constant of p, however
    far from their targets the steps are. In the other direction, :math:`\log p_Z(z) + \sum_i w_i` is in the
    mean at most the log-density of the model at x.

    Steps whose kernel is reversible with respect to a density mu have :math:`w = \log\mu(\text{start}) -
    \log\mu(\text{end})`.

    Reference: Wu, Köhler, Noé (2020), Stochastic normalizing flows, https://arxiv.org/abs/2002.06707

    Example:
        >>> from preimage.layers import RandomWalk
        >>> step = RandomWalk(lambda x: -0.5 * x.square().sum(1))
        >>> y, log_weight = step.forward_and_log_weight(torch.zeros(4, 2))
        >>> torch.allclose(log_weight, 0.5 * y.square().sum(1))
        True
    """

    @abc.abstractmethod
    def step(self, start: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """A random end, and the log-weight ``(N,)`` of the path there."""

    def forward_and_log_weight(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run data -> latent.

        Args:
            x: tensor ``(N, *event)``.
            generator: source of randomness; the global one by default.

        Returns:
            The latent, and the log-weight ``(N,)``.

        Raises:
            ShapeError: x is no floating-point tensor.
        """
        checks.check_tensors(f"{type(self).__name__}.forward_and_log_weight", "x", x, Reals(), None)
        return self.step(x, generator)

    def inverse_and_log_weight(
        self, y: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run latent -> data; arguments and returns as in :meth:`forward_and_log_weight`, mirrored."""
        checks.check_tensors(f"{type(self).__name__}.inverse_and_log_weight", "y", y, Reals(), None)
        return self.step(y, generator)

    def forward(self, x: Any, generator: torch.Generator | None = None) -> Any:
        """The latent alone."""
        return self.forward_and_log_weight(x, generator)[0]

    def inverse(self, y: Any, generator: torch.Generator | None = None) -> Any:
        """The data alone."""
        return self.inverse_and_log_weight(y, generator)[0]


def normal_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers of the shape of x."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def log_density_at(log_density: LogDensity, x: Tensor) -> Tensor:
    """The log-density ``(N,)``, its shape checked.

    Raises:
        ShapeError: the function does not return one number per row.
    """
    return _checked_shape(log_density(x), x)


def score_at(log_density: LogDensity, x: Tensor) -> tuple[Tensor, Tensor]:
    """The log-density ``(N,)`` and its gradient, of the shape of x; both differentiable.

    Raises:
        ShapeError: the function does not return one number per row.
    """
    value, pull = torch.func.vjp(log_density, x)  # pyright: ignore[reportAssignmentType]
    _checked_shape(value, x)
    return value, pull(torch.ones_like(value))[0]


def _checked_shape(value: Tensor, x: Tensor) -> Tensor:
    if value.shape != x.shape[:1]:
        raise ShapeError(
            f"the log-density returned shape {tuple(value.shape)} for {x.shape[0]} rows, wanted"
            f" ({x.shape[0]},): one number per row; sum over the event"
        )
    return value
