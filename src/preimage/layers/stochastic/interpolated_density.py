"""Densities between two densities."""

from __future__ import annotations

from torch import Tensor, nn

from preimage.layers.stochastic.stochastic import LogDensity, log_density_at


class InterpolatedDensity(nn.Module):
    r"""The geometric path between two log-densities, :math:`(1 - \lambda) \log\mu_0 + \lambda \log\mu_1`.

    What the steps of an annealed flow aim at, from the latent's density to the target.

    Reference: Neal (2001), Annealed importance sampling, https://doi.org/10.1023/A:1008923215028

    Args:
        first: log-density at share 0.
        last: log-density at share 1.
        share: lambda, between 0 and 1.

    Returns:
        Tensor ``(N,)``.

    Raises:
        ValueError: the share is out of range.

    Cost: both densities.

    Example:
        >>> import torch
        >>> between = InterpolatedDensity(lambda x: 0 * x[:, 0], lambda x: x[:, 0], 0.25)
        >>> between(torch.ones(1, 2))
        tensor([0.2500])
    """

    def __init__(self, first: LogDensity, last: LogDensity, share: float) -> None:
        super().__init__()
        if not 0 <= share <= 1:
            raise ValueError(f"InterpolatedDensity: share is {share}, wanted a number from 0 to 1")
        self.first, self.last, self.share = first, last, share

    def forward(self, x: Tensor) -> Tensor:
        """The interpolated log-density."""
        first, last = log_density_at(self.first, x), log_density_at(self.last, x)
        return (1 - self.share) * first + self.share * last
