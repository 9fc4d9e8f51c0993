"""Prototypes of the kinds that a class has: groups of its latents, and the inverses of their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from preimage.certificate import OnError
from preimage.checks import as_tuple, unpack
from preimage.classify.latents import middle
from preimage.classify.parts import in_parts
from preimage.classify.prototypes.class_means import described
from preimage.classify.prototypes.prototypes import Prototypes
from preimage.errors import ShapeError

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier


@dataclass(frozen=True)
class KindPrototypes:
    """The kinds of every class, the most frequent first.

    Args:
        prototypes: the inverse of the mean latent of every kind, class by class ``(K kinds, *event)``.
        share: of the rows of its class ``(K kinds,)``.
        nearest: number of the given row that is nearest to it ``(K kinds,)``: a real example.
    """

    prototypes: Prototypes
    share: Tensor
    nearest: Tensor


@torch.no_grad()
def kind_prototypes(
    classifier: GenerativeClassifier,
    x: Any,
    labels: Tensor,
    kinds: int = 1,
    *,
    rounds: int = 20,
    tolerance: float | None = 1e-4,
    on_error: OnError = "warn",
) -> KindPrototypes:
    r"""What the rows of a class look like on average *in the latents*, for one kind or several.

    .. math:: x_{cj} = f^{-1}(m_{cj}), \qquad m_{c1}, \dots, m_{cJ} = \arg\min
        \sum_{n \in c} \min_j \|f(x_n) - m_{cj}\|^2

    The learnt mean of a class is where the classifier wants it to be; the mean of its latents is where it is.
    A class of unlike members, such as bags with and without a handle, has no picture at the mean of all of
    them; a few groups have. Lloyd's algorithm finds them, from starts that lie far apart; nothing
    is drawn.

    Reference: Lloyd (1982), Least squares quantization in PCM, https://doi.org/10.1109/TIT.1982.1056489;
    starts: Gonzalez (1985), https://doi.org/10.1016/0304-3975(85)90224-5

    Args:
        classifier: a fitted generative classifier.
        x: rows ``(N, *event)``, such as those that it was trained on.
        labels: their classes, whole numbers ``(N,)``; -1 is left out.
        kinds: groups of every class, 1 or more.
        rounds: of the algorithm, at most.
        tolerance: largest relative error of re-encoding that counts as converged.
        on_error: what happens beyond: ``"raise"``, ``"warn"`` or ``"nan"``.

    Returns:
        The prototypes with their certificate, shares and nearest rows.

    Raises:
        ShapeError: labels do not fit the rows, or a class has fewer rows than kinds.

    Cost: one run of the network over the rows, O(N kinds D) a round, one run of the inverse for K kinds rows.

    Example:
        >>> from preimage.classify import vector_classifier
        >>> torch.manual_seed(0) and None
        >>> x, labels = torch.randn(40, 2), torch.arange(40) % 2
        >>> found = kind_prototypes(vector_classifier(2, 2, transforms=1).eval(), x, labels, kinds=3)
        >>> found.prototypes.labels, bool((found.prototypes.x - x[found.nearest]).abs().max() < 3)
        (tensor([0, 0, 0, 1, 1, 1]), True)
    """
    count = len(as_tuple(x)[0])
    if labels.shape != (count,) or kinds < 1:
        raise ShapeError(
            f"kind_prototypes: got {count} rows, labels {tuple(labels.shape)} and {kinds} kinds; wanted (N,)"
            " labels and 1 kind or more"
        )
    sizes = [part[0].numel() for part in as_tuple(classifier.base.class_centres())]
    z = in_parts(lambda part: _flat(classifier.flow.bijection(middle(classifier.flow, part))), x)  # (N, D)
    found = [_kinds(z, labels, label, kinds, rounds) for label in range(classifier.classes)]
    means, share, nearest = (torch.cat(column) for column in zip(*found, strict=True))
    codes = _unflat(means, sizes, classifier)
    bijection = classifier.flow.bijection
    inverse, certificate = bijection.certified_inverse(codes, tolerance=tolerance, on_error=on_error)
    own = torch.arange(classifier.classes, device=means.device).repeat_interleave(kinds)
    probability, log_prob = described(classifier, cast(Tensor, inverse), own)
    made = Prototypes(cast(Tensor, inverse), own, probability, log_prob, certificate)
    return KindPrototypes(made, share, nearest)


def _kinds(z: Tensor, labels: Tensor, label: int, kinds: int, rounds: int) -> tuple[Tensor, Tensor, Tensor]:
    """Means ``(kinds, D)`` of the groups of one class, their shares, and the row nearest to each."""
    rows = torch.nonzero(labels == label)[:, 0].to(z.device)
    if len(rows) < kinds:
        raise ShapeError(f"kind_prototypes: class {label} has {len(rows)} rows, wanted {kinds} or more")
    points = z[rows]
    means = _far_apart(points, kinds)
    owner = torch.cdist(points, means).argmin(1)
    for _ in range(rounds):
        counts = torch.bincount(owner, minlength=kinds)
        sums = torch.zeros_like(means).index_add(0, owner, points)
        means = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp_min(1), means)
        before, owner = owner, torch.cdist(points, means).argmin(1)
        if torch.equal(before, owner):
            break
    share = torch.bincount(owner, minlength=kinds) / len(rows)
    order = share.argsort(descending=True, stable=True)
    nearest = rows[torch.cdist(points, means).argmin(0)]
    return means[order], share[order], nearest[order]


def _far_apart(points: Tensor, kinds: int) -> Tensor:
    """Starts ``(kinds, D)``: the point nearest to the mean, then always one far from those before.

    Not the farthest one, which would be an outlier: the one at three quarters of all distances.
    """
    chosen = points[torch.cdist(points, points.mean(0, keepdim=True)).argmin()][None]
    while len(chosen) < kinds:
        distance = torch.cdist(points, chosen).amin(1)
        far = distance.argsort()[min(len(points) - 1, int(0.75 * len(points)))]
        chosen = torch.cat([chosen, points[far][None]])
    return chosen


def _flat(z: Any) -> Tensor:
    return torch.cat([part.flatten(1) for part in as_tuple(z)], dim=1)


def _unflat(means: Tensor, sizes: Sequence[int], classifier: GenerativeClassifier) -> Any:
    shapes = [part.shape[1:] for part in as_tuple(classifier.base.class_centres())]
    parts = means.split(list(sizes), dim=1)
    return unpack(part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True))
