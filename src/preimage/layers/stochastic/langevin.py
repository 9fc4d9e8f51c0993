"""Langevin steps, with and without correction."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from preimage.functional.event import sum_event
from preimage.layers.stochastic.metropolis import Metropolis, check_step_size
from preimage.layers.stochastic.stochastic import LogDensity, Stochastic, normal_like, score_at


class Langevin(Stochastic):
    r"""Overdamped Langevin dynamics without correction,
    :math:`b = a + \varepsilon \nabla\log\mu(a) + \sqrt{2\varepsilon}\,\xi`.

    The density mu is stationary only as the step goes to zero; the weight
    :math:`w = \tfrac12 (\|\xi\|^2 - \|\tilde\xi\|^2)`, with :math:`\tilde\xi` the noise that leads back, is
    exact for every step. Differentiable through and through, by x, mu and the step size, which is learnt.

    Reference: Wu, Köhler, Noé (2020), Stochastic normalizing flows, section 3.3,
    https://arxiv.org/abs/2002.06707

    Args:
        log_density: log mu up to a constant, from ``(N, *event)`` to ``(N,)``, differentiable.
        step_size: epsilon at the start, in squared units of x.
        steps: number of steps.

    Returns:
        The end of the path, and the log-weight ``(N,)``.

    Raises:
        ValueError: a number is not positive.
        ShapeError: the log-density does not return one number per row.

    Cost: one gradient of the density a step, and one more.

    Example:
        >>> path = Langevin(lambda x: -0.5 * x.square().sum(1), step_size=0.1, steps=3)
        >>> y, log_weight = path.forward_and_log_weight(torch.zeros(4, 2))
        >>> y.shape, log_weight.shape
        (torch.Size([4, 2]), torch.Size([4]))
    """

    def __init__(self, log_density: LogDensity, step_size: float = 0.01, steps: int = 1) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"Langevin: steps is {steps}, wanted 1 or more")
        self.log_density, self.steps = log_density, steps
        self.log_step_size = nn.Parameter(torch.tensor(math.log(check_step_size("Langevin", step_size))))

    def step(self, start: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """All steps, and their weights."""
        step_size = self.log_step_size.exp().to(start.dtype)
        x, weight = start, start.new_zeros(start.shape[0])
        score = score_at(self.log_density, x)[1]
        for _ in range(self.steps):
            noise = normal_like(x, generator)
            following = x + step_size * score + (2 * step_size).sqrt() * noise
            next_score = score_at(self.log_density, following)[1]
            weight = weight + _weight(step_size, x, score, following, next_score)
            x, score = following, next_score
        return x, weight


def _weight(step_size: Tensor | float, a: Tensor, score_a: Tensor, b: Tensor, score_b: Tensor) -> Tensor:
    """``log q(b -> a) - log q(a -> b)``, from the sum and difference of both ways ``(N,)``."""
    # |b - a - e s_a|^2 - |a - b - e s_b|^2 = -(e s_a + e s_b) (2 (b - a) - e s_a + e s_b)
    product = (score_a + score_b) * (2 * (b - a) + step_size * (score_b - score_a))
    return -sum_event(product) / 4


class MetropolisLangevin(Metropolis):
    r"""Langevin proposals with the test of Metropolis and Hastings (MALA): mu is stationary at any step.

    Reference: Roberts, Tweedie (1996), https://doi.org/10.2307/3318418; Wu, Köhler, Noé (2020),
    https://arxiv.org/abs/2002.06707

    Args:
        log_density: log mu up to a constant, from ``(N, *event)`` to ``(N,)``, differentiable.
        step_size: epsilon of :class:`Langevin`, in squared units of x.
        steps: number of proposals.

    Returns:
        The end of the path, and the log-weight ``(N,)``.

    Raises:
        ValueError: a number is not positive.
        ShapeError: the log-density does not return one number per row.

    Cost: two gradients of the density a step.

    Example:
        >>> path = MetropolisLangevin(lambda x: -0.5 * x.square().sum(1), step_size=0.5, steps=3)
        >>> path(torch.zeros(4, 2)).shape
        torch.Size([4, 2])
    """

    def __init__(self, log_density: LogDensity, step_size: float = 0.01, steps: int = 1) -> None:
        super().__init__(log_density, steps)
        self.step_size = check_step_size("MetropolisLangevin", step_size)

    def propose(self, start: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """A Langevin step, and how much more likely the way back is."""
        value, score = score_at(self.log_density, start)
        noise = normal_like(start, generator)
        proposal = start + self.step_size * score + math.sqrt(2 * self.step_size) * noise
        new_value, new_score = score_at(self.log_density, proposal)
        weight = _weight(self.step_size, start, score, proposal, new_score)
        return proposal, new_value - value + weight
