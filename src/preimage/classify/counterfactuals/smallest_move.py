"""Counterfactuals by the smallest move of the latents across the decision boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from preimage.certificate import OnError
from preimage.classify.counterfactuals.counterfactuals import (
    Counterfactuals,
    decoded,
    flattened,
    like,
    targets,
)
from preimage.classify.counterfactuals.half_spaces import nearest_point
from preimage.classify.latents import latents

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier


SLACK = 1e-3  # nats by which rounding may miss the margin


def smallest_move(
    classifier: GenerativeClassifier,
    x: Any,
    target: Any,
    *,
    margin: float = 0.1,
    steps: int = 20,
    on_error: OnError = "warn",
) -> Counterfactuals:
    r"""The shortest move of the latents after which another class wins.

    .. math:: \min_\delta \|\delta\| \quad \text{so that} \quad
        \ell_b(z + \delta) - \ell_k(z + \delta) \ge m \quad \text{for all } k \ne b

    With spreads 1 the logits :math:`\ell` are linear in the latent up to a common term, and one step is
    exact. Otherwise they are linearised again and again, and what is still short of the boundary goes on
    towards the centre of the class; the probability says whether it was reached.

    Reference: Wachter, Mittelstadt, Russell (2018), Counterfactual explanations without opening the black
    box, https://arxiv.org/abs/1711.00399

    Args:
        classifier: a fitted generative classifier.
        x: inputs ``(N, *event)``.
        target: the class wanted, or one for every row ``(N,)``.
        margin: m in nats, 0 or more; how clearly the class is to win.
        steps: linearisations at most.
        on_error: what happens where the inverse is not exact: ``"raise"``, ``"warn"`` or ``"nan"``.

    Returns:
        The changed inputs; those of the class already, by the margin, do not move.

    Raises:
        ContextError: a class is unknown.

    Cost: one run of the bijection, one of its inverse, and K gradients of the base a step.

    Example:
        >>> from preimage.bijection import Chain
        >>> from preimage.classify import GenerativeClassifier
        >>> from preimage.flows import FixedClassConditionalNormal, Flow
        >>> base = FixedClassConditionalNormal(torch.tensor([[-2.0], [2.0]]))
        >>> model = GenerativeClassifier(Flow(Chain(), base), classes=2)
        >>> smallest_move(model, torch.tensor([[-1.5]]), target=1, margin=0.0).x.abs() < 1e-6
        tensor([[True]])
    """
    with torch.no_grad():
        z, _ = latents(classifier.flow, x)
    start = flattened(z).detach().double()
    labels = targets(classifier, target, len(start))
    move = torch.zeros_like(start)
    for _ in range(steps):
        lead, gradient = _leads(classifier, start + move, z, labels)  # (N, K), (N, K, D)
        lead = lead.scatter(1, labels[:, None], margin)  # the class itself needs no lead
        if bool((lead >= margin - SLACK).all()):
            break
        wanted = margin - lead + (gradient @ move[:, :, None])[:, :, 0]
        move = nearest_point(gradient, wanted)
    move = _towards_centre(classifier, start, move, z, labels, margin)
    return decoded(classifier, z, move.to(flattened(z).dtype), labels, on_error)


@torch.no_grad()
def _towards_centre(
    classifier: GenerativeClassifier, start: Tensor, move: Tensor, z: Any, labels: Tensor, margin: float
) -> Tensor:
    """Where linear steps did not end beyond a curved boundary: as far towards the centre as needed."""
    short = _smallest_lead(classifier, start + move, z, labels) < margin - SLACK
    if not bool(short.any()):
        return move
    whole = flattened(classifier.base.class_centres()).double()[labels] - start
    low, high = torch.zeros_like(start[:, :1]), torch.ones_like(start[:, :1])  # shares of the way
    reached = _smallest_lead(classifier, start + whole, z, labels) >= margin
    for _ in range(50):
        middle = (low + high) / 2
        there = _smallest_lead(classifier, start + torch.lerp(move, whole, middle), z, labels) >= margin
        low, high = torch.where(there[:, None], low, middle), torch.where(there[:, None], middle, high)
    return torch.where((short & reached)[:, None], torch.lerp(move, whole, high), move)


def _smallest_lead(classifier: GenerativeClassifier, flat: Tensor, z: Any, labels: Tensor) -> Tensor:
    """How far the class is ahead of the next one ``(N,)``, in nats."""
    logits = _logits(classifier, flat, z)
    own = labels[:, None]
    others = logits.scatter(1, own, -torch.inf)
    return logits.gather(1, own)[:, 0] - others.amax(dim=1)


def _logits(classifier: GenerativeClassifier, flat: Tensor, z: Any) -> Tensor:
    """From latents side by side, in float64 ``(N, K)``."""
    table = classifier.base.class_log_prob(like(flat.to(classifier.log_prior.dtype), z)).double()
    return table / classifier.temperature.detach().double() + classifier.log_prior.double()


def _leads(classifier: GenerativeClassifier, flat: Tensor, z: Any, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How far the logit of the class is ahead of every other, and its gradients, in float64."""
    flat = flat.detach().requires_grad_()
    with torch.enable_grad():
        logits = _logits(classifier, flat, z)
        lead = logits.gather(1, labels[:, None]) - logits
        rows = [torch.autograd.grad(column.sum(), flat, retain_graph=True)[0] for column in lead.unbind(1)]
    return lead.detach(), torch.stack(rows, dim=1)
