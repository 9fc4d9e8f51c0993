"""Exponential linear units."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor

from preimage.domains import Interval
from preimage.layers.elementwise.elementwise import Elementwise


class ExponentialUnit(Elementwise, abc.ABC):
    r"""What ELU and SELU share, :math:`y = \lambda x` from 0 on and :math:`\lambda \alpha (e^x - 1)` below.

    Args:
        alpha: depth of the negative part.
        scale: factor :math:`\lambda` on everything.

    Example:
        >>> issubclass(SELU, ExponentialUnit)
        True
    """

    def __init__(self, alpha: float, scale: float) -> None:
        super().__init__()
        if not (0 < alpha < math.inf):
            raise ValueError(
                f"{type(self).__name__}: alpha is {alpha}, wanted a positive number, such as 1.0"
            )
        self.alpha, self.scale = alpha, scale
        self.codomain = Interval(-scale * alpha, math.inf)

    def forward_elements(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale above 0, exponential below."""
        below = x.clamp_max(0)  # exp of the part not taken could overflow
        y = self.scale * torch.where(x < 0, self.alpha * below.expm1(), x)
        return y, torch.where(x < 0, below + math.log(self.alpha), 0 * x) + math.log(self.scale)

    def inverse_elements(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scale above 0, logarithm below."""
        y = y / self.scale
        log = (y.clamp_max(0) / self.alpha).log1p()
        log_slope = torch.where(y < 0, log + math.log(self.alpha), 0 * y) + math.log(self.scale)
        return torch.where(y < 0, log, y), -log_slope

    def extra_repr(self) -> str:
        """The settings."""
        return f"alpha={self.alpha}"


class ELU(ExponentialUnit):
    r"""Exponential linear unit, :math:`y = x` from 0 on, :math:`\alpha (e^x - 1)` below, onto y > -alpha.

    The inverse below zero is :math:`x = \log(1 + y/\alpha)`. log_det is
    :math:`\sum_{x < 0} x + \log \alpha`. Far below zero y rounds to -alpha, which the inverse refuses.

    Reference: Clevert, Unterthiner, Hochreiter (2016), https://arxiv.org/abs/1511.07289

    Args:
        alpha: depth of the negative part, positive; the slope is continuous at 0 only for 1.

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a value of -alpha or less.
        ValueError: alpha is not positive.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> ELU().forward_and_log_det(torch.tensor([[-1.0, 2.0]]))
        (tensor([[-0.6321,  2.0000]]), tensor([-1.]))
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha, 1.0)


class SELU(ExponentialUnit):
    r"""Scaled exponential linear unit, :math:`y = \lambda\,\mathrm{ELU}_\alpha(x)`, onto y > -1.7581.

    With :math:`\lambda = 1.0507` and :math:`\alpha = 1.6733`, for which zero mean and unit variance are kept
    from layer to layer. log_det is :math:`D \log \lambda + \sum_{x < 0} x + \log \alpha`.

    Reference: Klambauer, Unterthiner, Mayr, Hochreiter (2017), https://arxiv.org/abs/1706.02515

    Returns:
        y of the shape of x ``(N, ...)``, and log_det ``(N,)``.

    Raises:
        DomainError: ``inverse`` gets a value of -1.7580993 or less.

    Cost: O(numel(x)).

    Example:
        >>> import torch
        >>> SELU()(torch.tensor([[-1.0, 2.0]]))
        tensor([[-1.1113,  2.1014]])
    """

    def __init__(self) -> None:
        super().__init__(1.6732632423543772, 1.0507009873554805)
