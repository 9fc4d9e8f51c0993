"""The usual way to invert features: gradient descent on the picture, with a smoothness penalty.

    python benchmarks/gradient_inversion.py     # one picture, one tap, to look at

Mahendran and Vedaldi, Understanding deep image representations by inverting them, 2015,
https://arxiv.org/abs/1412.0035, with Adam for the descent and total variation for the prior.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def total_variation(x: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, ``(N,)``."""
    rows = (x[:, :, 1:] - x[:, :, :-1]).abs().flatten(1).mean(1)
    columns = (x[:, :, :, 1:] - x[:, :, :, :-1]).abs().flatten(1).mean(1)
    return rows + columns


def gradient_inversion(
    f: Callable[[Tensor], Tensor],
    y: Tensor,
    box: tuple[Tensor, Tensor],
    input_shape: tuple[int, ...],
    *,
    steps: int = 200,
    rate: float = 0.02,
    smoothness: float = 0.1,
) -> Tensor:
    """Adam on ``|f(x) - y|^2 / |y - mean|^2 + smoothness TV(x)`` from grey, kept inside the box of pictures.

    Args:
        f: features of inputs ``(N, *input)``, rows independent.
        y: features wanted, ``(N, *tap)``.
        box: lowest and highest value of a picture.
        input_shape: ``(C, H, W)``.
        steps: of Adam; the rate falls to zero as a cosine.
        rate, smoothness: the two numbers to tune.
    """
    low, high = box
    x = ((low + high) / 2).expand(len(y), *input_shape).clone().requires_grad_()
    size = (y - y.flatten(2).mean(2).view(*y.shape[:2], *[1] * (y.dim() - 2))).flatten(1).square().sum(1)
    size = torch.where(size > 0, size, y.flatten(1).square().sum(1))
    optimiser = torch.optim.Adam([x], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        mismatch = (f(x) - y).flatten(1).square().sum(1) / size
        (mismatch + smoothness * total_variation(x)).sum().backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            x.clamp_(low, high)
    return x.detach()
