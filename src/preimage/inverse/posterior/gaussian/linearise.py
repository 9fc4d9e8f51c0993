"""A part of the network as a linear map with noise, in the place where its input is likely to be."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from preimage.inverse.posterior.gaussian.normal import Normal, Step
from preimage.inverse.posterior.gaussian.points import quantile_points, standard_points

Map = Callable[[Tensor], Tensor]


def linearised(f: Map, around: Normal, rounding: float) -> Step:
    r"""The linear map with the least mean square error over a normal distribution of inputs.

    By Stein's lemma its matrix is the mean Jacobian, :math:`A = E[J(u)]`; :math:`b = E[f(u)] - A E[u]`, and
    the noise is what is left. A linear f is its own linearisation.

    Reference: A. Garcia-Fernandez, L. Svensson, M. Morelande and S. Sarkka (2015),
    https://arxiv.org/abs/1406.2241, linearise a filter in this way.

    Args:
        f: a differentiable map ``(N, n_u) -> (N, n_v)`` that treats rows independently.
        around: the distribution of one input, with mean ``(1, n_u)``.
        rounding: relative error up to which f counts as linear.

    Cost: 65 evaluations and a Jacobian; for another f than a linear one 64 more Jacobians.
    """
    points = around.mean + standard_points(around.mean.shape[1], around.mean) @ around.root().T
    with torch.no_grad():
        values, middle = f(points), f(around.mean)
    matrix = mean_jacobian(f, around.mean, values.shape[1])
    left = values - middle - (points - around.mean) @ matrix.T
    size = (values - middle).abs().amax().clamp_min(middle.abs().amax() * 1e-3)
    if left.abs().amax() <= rounding * len(points) * size:
        offset = (middle - around.mean @ matrix.T)[0]
        return Step(matrix, offset, torch.zeros_like(offset), exact=True)
    return _noisy(points, values, mean_jacobian(f, points, values.shape[1]))


def linearised_pointwise(f: Map, around: Normal, rounding: float) -> Step:
    """The same for a function of each number alone: by the quantiles of each, and with a diagonal matrix.

    Cost: one evaluation at 64 points, and its gradient.
    """
    points = around.mean + around.variance.sqrt() * quantile_points(around.mean)
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        values = f(points)
        slopes = torch.zeros_like(points)
        if values.requires_grad:
            (slopes,) = torch.autograd.grad(values.sum(), points)
    step = _noisy(points.detach(), values.detach(), slopes.mean(0).diag())
    straight = step.noise.sqrt() <= rounding * len(points) * values.detach().abs().amax(0)
    return Step(step.matrix, step.offset, step.noise, exact=True) if bool(straight.all()) else step


def _noisy(points: Tensor, values: Tensor, matrix: Tensor) -> Step:
    """What the matrix leaves is offset and noise."""
    left = values - points @ matrix.T
    offset = left.mean(0)
    return Step(matrix, offset, (left - offset).square().mean(0), exact=False)


def mean_jacobian(f: Map, points: Tensor, outputs: int) -> Tensor:
    """The mean over points ``(K, n_u)`` of the Jacobian of f, ``(n_v, n_u)``."""
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        total = f(points).sum(
            0
        )  # (n_v,): rows are independent, so that its gradient holds theirs side by side
    if not total.requires_grad:
        return points.new_zeros(outputs, points.shape[1])
    rows = []
    for unit in torch.eye(outputs).to(points):
        (gradient,) = torch.autograd.grad(total, points, unit, retain_graph=True, materialize_grads=True)
        rows.append(gradient.mean(0))
    return torch.stack(rows)
