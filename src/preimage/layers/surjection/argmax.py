"""Categories as the place of the largest number."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from preimage.functional.event import sum_event
from preimage.layers.surjection.categories import CategorySurjection


class ArgmaxSurjection(CategorySurjection):
    r"""Categories, :math:`x = \arg\max_k y_k`: forward draws one number a category, the largest at x.

    With :math:`u \sim q(u \mid x)` and :math:`T = u_x`: :math:`y_x = T` and
    :math:`y_k = T - \operatorname{softplus}(T - u_k)` elsewhere, which is always below T. The log-weight is
    :math:`-\log q(u \mid x) + \sum_{k \ne x} \log \sigma(T - u_k)`, and averages bound the log-probability of
    x from below. ``.inv`` turns numbers into categories.

    Reference: Hoogeboom, Nielsen, Jaini, Forre, Welling (2021), Argmax flows and multinomial diffusion,
    https://arxiv.org/abs/2102.05379

    Args:
        noise: the distribution q, one channel a category; its conditioner sees the one-hot x ``(N, K, ...)``.

    Returns:
        y ``(N, K, ...)`` for whole numbers x ``(N, ...)`` from 0 to K - 1, and the log-weight ``(N,)``. The
        inverse returns whole numbers (``torch.long``).

    Raises:
        ShapeError: x does not hold whole numbers, or y not K channels.
        DomainError: a category is not between 0 and K - 1.

    Cost: that of the noise, K numbers a category.

    Example:
        >>> from preimage.layers import GaussianNoise
        >>> surjection = ArgmaxSurjection(GaussianNoise(4))
        >>> x = torch.tensor([[0, 3, 2]])
        >>> y = surjection(x)
        >>> y.shape, torch.equal(surjection.inverse(y), x)
        (torch.Size([1, 4, 3]), True)
    """

    @property
    def count(self) -> int:
        """One for each channel of the noise."""
        return self.noise.channels

    def code(self, x: Tensor) -> Tensor:
        """1 at the category, 0 elsewhere ``(N, K, ...)``."""
        return functional.one_hot(x.long(), self.count).movedim(-1, 1)

    def draw(self, code: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Draw, then push everything below the number of the category."""
        u = self.noise.sample(code, generator)
        gap = _at(u, code) - u
        y = torch.where(code > 0, u, _at(u, code) - _positive(functional.softplus(gap), _at(u, code)))
        return y, self._log_prob(u, gap, code)

    def read(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The largest."""
        x = y.argmax(1)
        chosen = self.code(x).to(y.dtype)
        below = (_at(y, chosen) - y).clamp_min(torch.finfo(y.dtype).tiny)
        gap = below + torch.log(-torch.expm1(-below))  # the inverse of softplus
        gap = torch.where(chosen > 0, torch.zeros_like(gap), gap)
        return x, self._log_prob(_at(y, chosen) - gap, gap, chosen)

    def _log_prob(self, u: Tensor, gap: Tensor, chosen: Tensor) -> Tensor:
        slopes = torch.where(chosen > 0, torch.zeros_like(gap), functional.logsigmoid(gap))
        return self.noise.log_prob(u, chosen) - sum_event(slopes)


def _at(u: Tensor, chosen: Tensor) -> Tensor:
    """The number of the category ``(N, 1, ...)``."""
    return torch.where(chosen > 0, u, torch.zeros_like(u)).sum(1, keepdim=True)


def _positive(step: Tensor, at: Tensor) -> Tensor:
    """A step that rounding does not lose: at least a rounding error of the number it is taken from."""
    smallest = torch.finfo(at.dtype).eps * at.detach().abs().clamp_min(torch.finfo(at.dtype).tiny)
    return torch.maximum(step, smallest)
