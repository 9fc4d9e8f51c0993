"""Prototypes by gradient: of the highest density, of the clearest class, or of both."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.classify.prototypes.prototypes import Prototypes
from preimage.classify.prototypes.scores import ClassScore, as_score
from preimage.errors import ShapeError


def prototype_losses(
    score: ClassScore, x: Tensor, labels: Tensor, density_weight: float, class_weight: float
) -> Tensor:
    r"""How far inputs are from being prototypes.

    .. math:: L(x) = -w_{prob} \log p(x \mid c) - w_{class} \log p(c \mid x)

    Args:
        score: a classifier.
        x: inputs ``(M, *event)``.
        labels: the classes that they are to stand for ``(M,)``.
        density_weight: :math:`w_{prob}`, 0 or more.
        class_weight: :math:`w_{class}`, 0 or more.

    Returns:
        Tensor ``(M,)``; differentiable.

    Cost: one run of the classifier.
    """
    log_probability, log_prob = score(x)
    own = labels[:, None]
    loss = -class_weight * log_probability.gather(1, own)[:, 0]
    return loss if density_weight == 0 else loss - density_weight * log_prob.gather(1, own)[:, 0]


def refined_prototypes(
    model: Any,
    start: Tensor,
    labels: Any,
    *,
    density: Any = None,
    density_weight: float = 1.0,
    class_weight: float = 1.0,
    bounds: tuple[float, float] | None = None,
    steps: int = 200,
    learning_rate: float = 0.02,
    tolerance: float = 0.05,
) -> Prototypes:
    r"""Change inputs by gradient until they stand for their classes as well as they can.

    .. math:: \min_x -w_{prob} \log p(x \mid c) - w_{class} \log p(c \mid x)

    With ``class_weight=0`` the input of the highest density of the class; it is not the inverse of the mean,
    for a flow is not volume-preserving. With ``density_weight=0`` the input that the classifier is surest of,
    which for most networks looks like nothing: a prior, or a start that does, decides what it looks like.

    Reference: Simonyan, Vedaldi, Zisserman (2014), Deep inside convolutional networks,
    https://arxiv.org/abs/1312.6034, for the class term

    Args:
        model: a generative classifier, or any network from inputs to logits ``(N, K)``.
        start: inputs to begin with ``(M, *event)``, such as ``classifier.prototypes().x``.
        labels: the classes that they are to stand for ``(M,)``.
        density: a flow, or anything with ``log_prob``, beside a network without a density.
        density_weight: :math:`w_{prob}`, 0 or more; 0 where there is no density.
        class_weight: :math:`w_{class}`, 0 or more.
        bounds: smallest and largest value of an element; none by default.
        steps: of Adam, with a rate that falls to zero.
        learning_rate: at the start, in the units of the input.
        tolerance: largest gradient left, relative to that at the start, that counts as converged.

    Returns:
        The prototypes. The residual of their certificate is the norm of the gradient that is left, relative
        to that at the start; at bounds only what points inwards counts.

    Raises:
        ShapeError: labels do not fit the start, or the model returns no logits.

    Cost: one gradient of the classifier a step.

    Example:
        >>> model = torch.nn.Identity()  # the two inputs are the logits
        >>> found = refined_prototypes(model, torch.zeros(2, 2), [0, 1], density_weight=0.0, bounds=(-1, 1))
        >>> found.x.round(decimals=3)
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    score = as_score(model, density)
    own = torch.as_tensor(labels, device=start.device).long()
    if own.shape != start.shape[:1]:
        raise ShapeError(
            f"refined_prototypes: labels have shape {tuple(own.shape)}, wanted one class for each of"
            f" {len(start)} inputs"
        )
    weights = (density_weight, class_weight)
    x = start.detach().clone().requires_grad_()
    before = _gradient(score, x, own, weights, bounds)
    optimiser = torch.optim.Adam([x], lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        x.grad = torch.autograd.grad(prototype_losses(score, x, own, *weights).sum(), x)[0]
        optimiser.step()
        schedule.step()
        _clamp(x, bounds)
    return _described(score, x.detach(), own, before, _gradient(score, x, own, weights, bounds), tolerance)


def _gradient(
    score: ClassScore,
    x: Tensor,
    own: Tensor,
    weights: tuple[float, float],
    bounds: tuple[float, float] | None,
) -> Tensor:
    """The norm of the gradient of every row ``(M,)``; none of it counts that leads out of the bounds."""
    gradient = torch.autograd.grad(prototype_losses(score, x, own, *weights).sum(), x)[0]
    if bounds is not None:
        low, high = bounds
        blocked = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
        gradient = gradient.masked_fill(blocked, 0.0)
    return gradient.flatten(1).norm(dim=1)


@torch.no_grad()
def _clamp(x: Tensor, bounds: tuple[float, float] | None) -> None:
    if bounds is not None:
        x.clamp_(*bounds)


@torch.no_grad()
def _described(
    score: ClassScore, x: Tensor, own: Tensor, before: Tensor, after: Tensor, tolerance: float
) -> Prototypes:
    log_probability, log_prob = score(x)
    residual = after / before.clamp_min(torch.finfo(before.dtype).tiny)
    converged = residual <= tolerance
    message = "" if bool(converged.all()) else "a gradient is left: take more steps, or another learning rate"
    certificate = Certificate(residual, converged, message=message)
    pick = own[:, None]
    probability = log_probability.gather(1, pick)[:, 0].exp()
    return Prototypes(x, own, probability, log_prob.gather(1, pick)[:, 0], certificate)
