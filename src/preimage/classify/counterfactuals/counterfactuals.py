"""What every way of making counterfactuals returns, and how latents are moved and decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from preimage.certificate import Certificate, OnError
from preimage.checks import as_tuple, unpack
from preimage.classify.prototypes.class_means import described
from preimage.errors import ShapeError

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier


@dataclass(frozen=True)
class Counterfactuals:
    r"""Inputs as they would be for another class.

    Args:
        x: one for every row ``(N, *event)``, as the bijection takes them.
        labels: the classes wanted ``(N,)``.
        probability: of the class wanted, after the move ``(N,)``.
        distance: length of the move in the latents ``(N,)``; a standard deviation of unit latents is 1.
        certificate: of the inverse, :math:`f(x)` against the moved latents.
    """

    x: Any
    labels: Tensor
    probability: Tensor
    distance: Tensor
    certificate: Certificate


def targets(classifier: GenerativeClassifier, target: Any, rows: int) -> Tensor:
    """One class for all rows, or one for each, as labels ``(N,)``."""
    labels = torch.as_tensor(target, device=classifier.log_prior.device)
    if labels.dim() > 1 or (labels.dim() == 1 and len(labels) != rows) or labels.is_floating_point():
        raise ShapeError(f"counterfactuals: target is {target!r}, wanted a class or {rows} of them")
    return classifier.base.labels(labels.expand(rows))


def flattened(z: Any) -> Tensor:
    """All latents of a row side by side ``(N, D)``."""
    return torch.cat([part.flatten(1) for part in as_tuple(z)], dim=1)


def like(flat: Tensor, z: Any) -> Any:
    """Rows ``(N, D)`` as latents of the shapes of z."""
    parts = as_tuple(z)
    pieces = flat.split([part[0].numel() for part in parts], dim=1)
    return unpack(piece.reshape(-1, *part.shape[1:]) for piece, part in zip(pieces, parts, strict=True))


@torch.no_grad()
def decoded(
    classifier: GenerativeClassifier, z: Any, move: Tensor, labels: Tensor, on_error: OnError
) -> Counterfactuals:
    """The moved latents as data, with the evidence."""
    moved = like(flattened(z) + move, z)
    x, certificate = classifier.flow.bijection.certified_inverse(moved, tolerance=1e-3, on_error=on_error)
    probability, _ = described(classifier, x, labels)
    return Counterfactuals(x, labels, probability, move.norm(dim=1), certificate)
