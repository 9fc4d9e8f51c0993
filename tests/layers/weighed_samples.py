"""Bounds of surjections, against what is known exactly."""

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from preimage.layers import Surjection


class Function(nn.Module):
    """A conditioner with a formula."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)  # pyright: ignore[reportCallIssue]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(y: Tensor, mean: float = 0.3) -> Tensor:
    """Log-density of the base ``(N,)``."""
    return Normal(mean, 1.0).log_prob(y).flatten(1).sum(1)


def check_bound(model: Surjection, x: Tensor, exact: Tensor, draws: int = 40_000) -> None:
    """For single values x: the mean of p(y) e^w is P(x), and that of its logarithm no more than log P(x)."""
    for value, log_wanted in zip(x, exact, strict=True):
        y, weight = model.forward_and_log_weight(value.expand(draws, *value.shape), generator(2))
        log_prob = normal(y) + weight
        ratio = (log_prob - log_wanted).exp()
        error = 4.5 * ratio.std() / draws**0.5
        assert (ratio.mean() - 1).abs() <= error + 1e-6
        bound = log_prob.mean() - 4.5 * log_prob.std() / draws**0.5
        assert bound <= log_wanted + 1e-6
