"""Logarithms of exponential and hyperbolic functions that neither overflow nor cancel."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def sign_and_size(x: Tensor) -> tuple[Tensor, Tensor]:
    """x as s |x| with a constant s of +-1, so that at 0 derivatives are those from the right, not 0.

    Args:
        x: any shape.

    Returns:
        s and |x|, the shape of x; s is +1 at 0 and at NaN.

    Example:
        >>> sign_and_size(torch.tensor([-2.0, 0.0]))
        (tensor([-1.,  1.]), tensor([2., 0.]))
    """
    sign = torch.where(x < 0, -1.0, 1.0).to(x.dtype)
    return sign, sign * x


def log_cosh(x: Tensor) -> Tensor:
    r"""Log of the hyperbolic cosine, :math:`|x| + \log(1 + e^{-2|x|}) - \log 2`.

    Args:
        x: any shape, any size.

    Returns:
        Tensor of the shape of x.

    Example:
        >>> log_cosh(torch.tensor([0.0, 800.0]))
        tensor([  0.0000, 799.3068])
    """
    _, size = sign_and_size(x)
    return size - logsigmoid(2 * size) - math.log(2)


def log_one_minus_exp(y: Tensor) -> Tensor:
    r"""Log of one minus an exponential, :math:`\log(1 - e^{-y})` for y > 0.

    Reference: Maechler (2012), Accurately computing log(1 - exp(-|a|)),
    https://cran.r-project.org/web/packages/Rmpfr/vignettes/log1mexp-note.pdf

    Args:
        y: any shape, positive.

    Returns:
        Tensor of the shape of y; minus infinity at 0 and NaN below.

    Example:
        >>> log_one_minus_exp(torch.tensor([1e-30, 1.0]))
        tensor([-69.0776,  -0.4587])
    """
    near = y < math.log(2)
    far = torch.where(near, torch.ones_like(y), y)  # log1p(-1) has no usable gradient
    return torch.where(near, (-torch.expm1(-y)).log(), torch.log1p(-torch.exp(-far)))


def log_logistic_slope(x: Tensor) -> Tensor:
    r"""Log of the slope of the logistic function, :math:`\log \sigma(x) + \log \sigma(-x)`.

    Args:
        x: any shape, any size.

    Returns:
        Tensor of the shape of x.

    Example:
        >>> log_logistic_slope(torch.tensor([0.0, 1e6]))
        tensor([-1.3863e+00, -1.0000e+06])
    """
    return logsigmoid(x) + logsigmoid(-x)
