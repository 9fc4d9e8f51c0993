"""Random-walk Metropolis steps."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.layers.stochastic.metropolis import Metropolis, check_step_size
from preimage.layers.stochastic.stochastic import LogDensity, log_density_at, normal_like


class RandomWalk(Metropolis):
    r"""Metropolis steps with normal proposals, :math:`b = a + s\,\xi`. Needs no gradient of the density.

    Reference: Metropolis, Rosenbluth, Rosenbluth, Teller, Teller (1953), https://doi.org/10.1063/1.1699114;
    Wu, Köhler, Noé (2020), https://arxiv.org/abs/2002.06707

    Args:
        log_density: log mu up to a constant, from ``(N, *event)`` to ``(N,)``.
        step_size: standard deviation s of proposals, in the units of x; about 2.4 standard deviations of mu
            over the root of the number of dimensions.
        steps: number of proposals.

    Returns:
        The end of the walk, and the log-weight ``(N,)``.

    Raises:
        ValueError: a number is not positive.
        ShapeError: the log-density does not return one number per row.

    Cost: 2 densities a step.

    Example:
        >>> walk = RandomWalk(lambda x: -0.5 * x.square().sum(1), step_size=0.5, steps=10)
        >>> walk(torch.zeros(4, 2), torch.Generator().manual_seed(0)).shape
        torch.Size([4, 2])
    """

    def __init__(self, log_density: LogDensity, step_size: float = 0.1, steps: int = 1) -> None:
        super().__init__(log_density, steps)
        self.step_size = check_step_size("RandomWalk", step_size)

    def propose(self, start: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """A normal step; there and back are equally likely."""
        proposal = start + self.step_size * normal_like(start, generator)
        return proposal, log_density_at(self.log_density, proposal) - log_density_at(self.log_density, start)
