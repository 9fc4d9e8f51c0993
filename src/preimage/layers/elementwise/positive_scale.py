"""How a positive scale is made of a free number."""

from __future__ import annotations

import abc

import torch
from torch import Tensor
from torch.nn import functional


class PositiveScale(abc.ABC):
    """A parametrisation of positive scales by real numbers, :math:`s = s(r) > 0`.

    Example:
        >>> scale = ExpScale()
        >>> scale.log_scale(scale.raw(torch.tensor([1.0])))
        tensor([0.])
    """

    @abc.abstractmethod
    def log_scale(self, raw: Tensor) -> Tensor:
        """log s(r), elementwise."""

    @abc.abstractmethod
    def raw(self, scale: Tensor) -> Tensor:
        """r with s(r) = scale, or as close as it reaches; elementwise, for positive scales."""


class ExpScale(PositiveScale):
    r"""Every positive scale, :math:`s = e^r`.

    Reference: Kingma, Dhariwal (2018), Glow, section 3.1, https://arxiv.org/abs/1807.03039

    Cost: none.

    Example:
        >>> ExpScale().log_scale(torch.tensor([2.0]))
        tensor([2.])
    """

    def log_scale(self, raw: Tensor) -> Tensor:
        """r itself."""
        return raw

    def raw(self, scale: Tensor) -> Tensor:
        """log s."""
        return scale.log()


class TwiceSigmoidScale(PositiveScale):
    r"""Bounded scales, :math:`s = \sigma(r)(2 - 2\epsilon) + \epsilon`, from eps to 2 - eps.

    Bounded on both sides, for deep chains. Data whose deviation is below about a half cannot be brought to
    deviation 1 by it.

    Reference: Dinh, Sohl-Dickstein, Bengio (2017), Real NVP, https://arxiv.org/abs/1605.08803, for bounded
    scales; the sigmoid as in Kingma, Dhariwal (2018), Glow, https://arxiv.org/abs/1807.03039

    Args:
        eps: the smallest scale, between 0 and 1.

    Raises:
        ValueError: eps lies outside.

    Cost: one sigmoid a feature.

    Example:
        >>> TwiceSigmoidScale().log_scale(torch.tensor([0.0])).abs() < 1e-6
        tensor([True])
    """

    def __init__(self, eps: float = 0.01) -> None:
        if not 0 < eps < 1:
            raise ValueError(
                f"TwiceSigmoidScale: eps is {eps}, wanted a number between 0 and 1, such as 0.01"
            )
        self.eps = eps

    def log_scale(self, raw: Tensor) -> Tensor:
        """log s, at least log eps."""
        return (torch.sigmoid(raw) * (2 - 2 * self.eps) + self.eps).log()

    def raw(self, scale: Tensor) -> Tensor:
        """The logit; scales outside the range become those 0.1 % inside it, where there is a gradient."""
        return torch.logit((scale - self.eps) / (2 - 2 * self.eps), eps=1e-3)


class EluScale(PositiveScale):
    r"""Every positive scale, linear above 1: :math:`s = 1 + r` for :math:`r > 0`, else :math:`e^r`.

    Large scales move slowly, so a step of the optimiser cannot make them explode.

    Reference: Clevert, Unterthiner, Hochreiter (2016), Exponential linear units,
    https://arxiv.org/abs/1511.07289

    Cost: one logarithm a feature.

    Example:
        >>> EluScale().log_scale(torch.tensor([0.0, 1.0])).exp()
        tensor([1., 2.])
    """

    def log_scale(self, raw: Tensor) -> Tensor:
        """log1p(r) above 0, else r."""
        return torch.where(raw > 0, functional.relu(raw).log1p(), raw)

    def raw(self, scale: Tensor) -> Tensor:
        """s - 1 above 1, else log s."""
        return torch.where(scale > 1, scale - 1, scale.log())
