"""Categories as signs: few numbers for very many categories."""

from __future__ import annotations

import torch
from torch import Tensor

from preimage.layers.surjection.categories import CategorySurjection
from preimage.layers.surjection.positive_noise import PositiveNoise


class BinaryArgmaxSurjection(CategorySurjection):
    r"""Categories, written in binary: :math:`y_b = \pm e_b`, positive where digit b of x is 1.

    B numbers serve :math:`2^B` categories, where an :class:`~preimage.layers.ArgmaxSurjection` needs one
    number each. Forward draws the sizes :math:`e \sim q(e \mid x)`; the log-weight is :math:`-\log q(e \mid
    x)`, and averages bound the log-probability of x from below. With fewer categories than :math:`2^B` some
    codes stand for none, and a model that is not trained may draw them.

    Reference: Hoogeboom, Nielsen, Jaini, Forre, Welling (2021), Argmax flows and multinomial diffusion,
    section on Cartesian products, https://arxiv.org/abs/2102.05379

    Args:
        noise: the distribution q, one channel a digit; its conditioner sees the digits as -1 and 1, ``(N, B,
            ...)``.

    Returns:
        y ``(N, B, ...)`` for whole numbers x ``(N, ...)`` from 0 to :math:`2^B - 1`, the lowest digit first,
        and the log-weight ``(N,)``. The inverse returns whole numbers (``torch.long``).

    Raises:
        ShapeError: x does not hold whole numbers, or y not B channels.
        DomainError: a category is not between 0 and :math:`2^B - 1`.

    Cost: that of the noise, B numbers a category.

    Example:
        >>> from preimage.layers import HalfNormalNoise
        >>> surjection = BinaryArgmaxSurjection(HalfNormalNoise(15))
        >>> x = torch.tensor([[0, 32_767, 1234]])
        >>> y = surjection(x)
        >>> y.shape, torch.equal(surjection.inverse(y), x)
        (torch.Size([1, 15, 3]), True)
    """

    def __init__(self, noise: PositiveNoise) -> None:
        super().__init__(noise)

    @property
    def count(self) -> int:
        """Two to the power of the number of digits."""
        return 2**self.noise.channels

    def code(self, x: Tensor) -> Tensor:
        """1 for the digits that are set, -1 for the others ``(N, B, ...)``."""
        numbers = x.long()[:, None]
        return 2 * ((numbers >> self._places(numbers)) & 1) - 1

    def draw(self, code: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Draw the sizes."""
        size = self.noise.sample(code, generator).clamp_min(torch.finfo(code.dtype).tiny)
        return code * size, self.noise.log_prob(size, code)

    def read(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Read the signs."""
        digits = (y > 0).long()
        x = (digits << self._places(y)).sum(1)
        return x, self.noise.log_prob(y.abs(), 2 * digits.to(y.dtype) - 1)

    def _places(self, like: Tensor) -> Tensor:
        """The number of every digit, along dimension 1."""
        places = torch.arange(self.noise.channels, device=like.device)
        return places.view(1, -1, *[1] * (like.dim() - 2))
