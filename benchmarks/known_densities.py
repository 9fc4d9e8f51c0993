"""Data whose density is known: moons, circles, blobs, and the sine of a Gaussian in three dimensions."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor


class Known(abc.ABC):
    """A distribution that can be drawn from and evaluated, in float64."""

    features = 2

    @abc.abstractmethod
    def draw(self, rows: int, generator: torch.Generator) -> Tensor:
        """Rows ``(N, D)``."""

    @abc.abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """The log-density of every row ``(N,)``."""


class Curves(Known):
    """Uniform along curves, with normal noise: the density is an integral along them."""

    noise = 0.05
    nodes = 720

    @abc.abstractmethod
    def curve(self, share: Tensor) -> Tensor:
        """Points for shares in [0, 1) of the whole length ``(..., 2)``."""

    def draw(self, rows: int, generator: torch.Generator) -> Tensor:
        share = torch.rand(rows, generator=generator, dtype=torch.float64)
        noise = torch.randn(rows, 2, generator=generator, dtype=torch.float64)
        return self.curve(share) + self.noise * noise

    def log_prob(self, x: Tensor) -> Tensor:
        middle = (torch.arange(self.nodes, dtype=torch.float64) + 0.5) / self.nodes
        each = [
            (-0.5 * (torch.cdist(part, self.curve(middle)) / self.noise).square()).logsumexp(1)
            for part in x.split(4096)
        ]
        return torch.cat(each) - math.log(self.nodes * 2 * math.pi * self.noise**2)


class Moons(Curves):
    """Two half circles that reach into each other."""

    def curve(self, share: Tensor) -> Tensor:
        angle = math.pi * (2 * share % 1)
        outer = torch.stack([angle.cos(), angle.sin()], dim=-1)
        inner = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=-1)
        return torch.where((share < 0.5)[..., None], outer, inner)


class Circles(Curves):
    """Two circles around one centre, of radius 1 and 1/2, with as many points each."""

    def curve(self, share: Tensor) -> Tensor:
        angle = 4 * math.pi * share
        radius = torch.where(share < 0.5, 1.0, 0.5)
        return radius[..., None] * torch.stack([angle.cos(), angle.sin()], dim=-1)


class Blobs(Known):
    """Three normal distributions of deviation 1."""

    centres = torch.tensor([[-2.5, 9.0], [4.6, 2.0], [-6.9, -6.9]], dtype=torch.float64)

    def draw(self, rows: int, generator: torch.Generator) -> Tensor:
        which = torch.randint(len(self.centres), (rows,), generator=generator)
        return self.centres[which] + torch.randn(rows, 2, generator=generator, dtype=torch.float64)

    def log_prob(self, x: Tensor) -> Tensor:
        each = -0.5 * torch.cdist(x, self.centres).square() - math.log(2 * math.pi)
        return each.logsumexp(1) - math.log(len(self.centres))


class SineOfGaussian(Known):
    r"""A correlated Gaussian (a, b, c) whose third value is replaced by :math:`\sin(2\pi a + \pi b) + 0.1 c`."""

    features = 3
    covariance = torch.tensor([[1.0, 0.5, 0.2], [0.5, 1.0, 0.3], [0.2, 0.3, 1.0]], dtype=torch.float64) / 4

    def draw(self, rows: int, generator: torch.Generator) -> Tensor:
        root = torch.linalg.cholesky(self.covariance)
        normal = torch.randn(rows, 3, generator=generator, dtype=torch.float64) @ root.T
        return torch.cat([normal[:, :2], self._wave(normal) + 0.1 * normal[:, 2:]], dim=1)

    def log_prob(self, x: Tensor) -> Tensor:
        pair, cross = self.covariance[:2, :2], self.covariance[2, :2]
        slope = torch.linalg.solve(pair, cross)  # of the mean of c in (a, b)
        deviation = 0.1 * (self.covariance[2, 2] - cross @ slope).sqrt()
        first = torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), pair)
        mean = self._wave(x)[:, 0] + 0.1 * (x[:, :2] @ slope)
        return first.log_prob(x[:, :2]) + torch.distributions.Normal(mean, deviation).log_prob(x[:, 2])

    @staticmethod
    def _wave(x: Tensor) -> Tensor:
        return torch.sin(2 * math.pi * x[:, :1] + math.pi * x[:, 1:2])


KNOWN: dict[str, Known] = {
    "moons": Moons(),
    "circles": Circles(),
    "blobs": Blobs(),
    "sine of a Gaussian, 3-d": SineOfGaussian(),
}
