"""Steps that a test of Metropolis and Hastings corrects."""

from __future__ import annotations

import abc

import torch
from torch import Tensor

from preimage.layers.stochastic.stochastic import LogDensity, Stochastic, log_density_at
from preimage.layers.structure.recording import open_recordings


class Metropolis(Stochastic):
    r"""Proposals that are taken with the probability for which the density mu is stationary.

    .. math:: P(\text{accept}) = \min\!\left(1, \frac{\mu(b)\,q(b \to a)}{\mu(a)\,q(a \to b)}\right)
              \quad\text{for a proposal } a \to b, \qquad w = \log\mu(\text{start}) - \log\mu(\text{end}).

    A proposal with a density that is not a number is refused. The gradient passes through the proposals that
    were accepted; that acceptance itself depends on the parameters is left out, as in the reference.

    An open :class:`~preimage.layers.Recording` gets the share of accepted proposals of every row ``(N,)``
    under ``"acceptance"``, as a value of its forward direction.

    Reference: Hastings (1970), https://doi.org/10.1093/biomet/57.1.97; Wu, Köhler, Noé (2020), Stochastic
    normalizing flows, https://arxiv.org/abs/2002.06707

    Args:
        log_density: log mu up to a constant, from ``(N, *event)`` to ``(N,)``.
        steps: number of proposals, one after the other.

    Raises:
        ValueError: ``steps`` is not positive.

    Example:
        >>> from preimage.layers import RandomWalk, Recording
        >>> with Recording() as recording:
        ...     x = RandomWalk(lambda x: 0 * x[:, 0], steps=5)(torch.zeros(3, 1))
        >>> recording.forward.values["acceptance"]
        [tensor([1., 1., 1.])]
    """

    def __init__(self, log_density: LogDensity, steps: int) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"{type(self).__name__}: steps is {steps}, wanted 1 or more")
        self.log_density, self.steps = log_density, steps

    @abc.abstractmethod
    def propose(self, start: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """A proposal b, and the logarithm of ``mu(b) q(b -> a) / (mu(a) q(a -> b))``, ``(N,)``."""

    def step(self, start: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """All proposals, each taken or not."""
        x, accepted = start, []
        for _ in range(self.steps):
            proposal, log_ratio = self.propose(x, generator)
            uniform = torch.rand(log_ratio.shape, generator=generator, dtype=x.dtype, device=x.device)
            accept = uniform.log() < log_ratio.detach()  # (N,), False where the ratio is not a number
            x = torch.where(accept.view(-1, *[1] * (x.dim() - 1)), proposal, x)
            accepted.append(accept)
        for recording in open_recordings():
            rate = torch.stack(accepted).to(x.dtype).mean(0)
            recording.forward.values.setdefault("acceptance", []).append(rate)
        return x, log_density_at(self.log_density, start) - log_density_at(self.log_density, x)


def check_step_size(where: str, step_size: float) -> float:
    """A step size that is positive and finite.

    Raises:
        ValueError: it is not.
    """
    if not 0 < step_size < float("inf"):
        raise ValueError(f"{where}: step_size is {step_size}, wanted a positive number, such as 0.1")
    return step_size
