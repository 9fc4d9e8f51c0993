"""Hamiltonian Monte Carlo steps."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.functional.event import sum_event
from preimage.layers.stochastic.metropolis import Metropolis, check_step_size
from preimage.layers.stochastic.stochastic import LogDensity, log_density_at, normal_like, score_at


class HamiltonianMonteCarlo(Metropolis):
    r"""Leapfrog paths with fresh normal momenta p, accepted by the energy :math:`-\log\mu(x) + \|p\|^2 / 2`.

    Reference: Duane, Kennedy, Pendleton, Roweth (1987), https://doi.org/10.1016/0370-2693(87)91197-X; Neal
    (2011), https://arxiv.org/abs/1206.1901; Wu, Köhler, Noé (2020), https://arxiv.org/abs/2002.06707

    Args:
        log_density: log mu up to a constant, from ``(N, *event)`` to ``(N,)``, differentiable.
        step_size: length of a leapfrog step, in units of x.
        leapfrog_steps: number of leapfrog steps of a path.
        steps: number of paths, one after the other.

    Returns:
        The end of the last path, and the log-weight ``(N,)``.

    Raises:
        ValueError: a number is not positive.
        ShapeError: the log-density does not return one number per row.

    Cost: ``leapfrog_steps + 1`` gradients of the density a path.

    Example:
        >>> paths = HamiltonianMonteCarlo(lambda x: -0.5 * x.square().sum(1), step_size=0.5, steps=2)
        >>> paths(torch.zeros(4, 2)).shape
        torch.Size([4, 2])
    """

    def __init__(
        self, log_density: LogDensity, step_size: float = 0.1, leapfrog_steps: int = 5, steps: int = 1
    ) -> None:
        super().__init__(log_density, steps)
        if leapfrog_steps < 1:
            raise ValueError(f"HamiltonianMonteCarlo: leapfrog_steps is {leapfrog_steps}, wanted 1 or more")
        self.step_size = check_step_size("HamiltonianMonteCarlo", step_size)
        self.leapfrog_steps = leapfrog_steps

    def propose(self, start: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """A leapfrog path; it can be run backwards, so only the energies count."""
        momentum = normal_like(start, generator)
        value, score = score_at(self.log_density, start)
        x, p = start, momentum
        for _ in range(self.leapfrog_steps):
            p = p + self.step_size / 2 * score
            x = x + self.step_size * p
            score = score_at(self.log_density, x)[1]
            p = p + self.step_size / 2 * score
        kinetic = sum_event((momentum - p) * (momentum + p)) / 2  # (N,)
        return x, log_density_at(self.log_density, x) - value + kinetic
