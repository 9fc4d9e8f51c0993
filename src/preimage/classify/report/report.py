"""A classifier of pictures, measured on pictures held out, and what its classes look like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from preimage.classify.calibration import calibrate, reliability
from preimage.classify.classifier import GenerativeClassifier
from preimage.classify.losses import ClassAndDensityLoss
from preimage.classify.parts import in_parts
from preimage.classify.presets import picture_classifier
from preimage.classify.prototypes import KindPrototypes, Prototypes, kind_prototypes
from preimage.errors import DataFileError
from preimage.functional.statistics.proportion import Proportion, clopper_pearson
from preimage.training import ParameterGroup

FEWEST = 8  # pictures of a class
LEVELS = 2  # times that the size is halved
BATCH, STEPS = 64, 600  # of training, by default


@dataclass(frozen=True, eq=False)
class PictureReport:
    """What a report on pictures says.

    Args:
        classes: their names.
        accuracy: on pictures that the classifier was not fitted to.
        bits_per_dim: of these pictures, without their labels.
        probabilities: of the classes, for these pictures ``(M, K)``.
        labels: their classes ``(M,)``.
        means: the mean picture of every class ``(K, C, H, W)``, from 0 to 1.
        prototypes: the inverse of the mean of every class.
        kinds: the inverses of the mean latents of the kinds of every class.
        members: for every kind the real picture that is nearest ``(K kinds, C, H, W)``, from 0 to 1.
        model: what the classifier is.
    """

    classes: tuple[str, ...]
    accuracy: Proportion
    bits_per_dim: float
    probabilities: Tensor
    labels: Tensor
    means: Tensor
    prototypes: Prototypes
    kinds: KindPrototypes
    members: Tensor
    model: str

    def sentence(self) -> str:
        """What the accuracy is worth, in words."""
        found = self.accuracy
        return (
            f"{found.successes} of {found.trials} held-out pictures are classified rightly:"
            f" {100 * found.value:.1f} %. The 95 % interval runs from {100 * found.low:.1f} to"
            f" {100 * found.high:.1f} %. The density is worth {self.bits_per_dim:.2f} bits a number; stated"
            f" probabilities are off by {reliability(self.probabilities, self.labels).error:.3f} on average."
        )

    def confusions(self) -> Tensor:
        """How many pictures of every class were taken for which ``(K, K)``, true by predicted."""
        count = len(self.classes)
        return torch.bincount(self.labels * count + self.probabilities.argmax(1), minlength=count**2).reshape(
            count, count
        )

    def to_dict(self) -> dict[str, Any]:
        """The numbers, for JSON."""
        residual = self.prototypes.certificate.residual.tolist()
        return {
            "classes": list(self.classes),
            "model": self.model,
            "accuracy": asdict(self.accuracy) | {"value": self.accuracy.value},
            "bits_per_dim": self.bits_per_dim,
            "calibration_error": reliability(self.probabilities, self.labels).error,
            "true_by_predicted": self.confusions().tolist(),
            "prototype_error": [value if math.isfinite(value) else None for value in residual],
            "prototype_probability": self.prototypes.probability.tolist(),
            "kind_share": self.kinds.share.tolist(),
            "kind_nearest": self.kinds.nearest.tolist(),
        }


def report_pictures(
    x: Tensor,
    labels: Tensor,
    classes: Sequence[str],
    model: GenerativeClassifier | None = None,
    *,
    kinds: int = 3,
    steps: int = STEPS,
    generator: torch.Generator | None = None,
) -> PictureReport:
    """Fit a classifier to pictures, or take one, measure it on others, and show its classes.

    Without a model a small :func:`picture_classifier` is fitted to three quarters of the pictures, its
    temperature to a tenth of these; the last quarter is only reported on. A given model is measured on all
    pictures: give those that it has not seen.

    Args:
        x: pictures ``(N, C, H, W)`` in uint8.
        labels: classes, whole numbers ``(N,)``; -1 is left out.
        classes: names of the K classes.
        model: a fitted classifier of such pictures.
        kinds: prototypes of every class besides that of its mean.
        steps: of training.
        generator: of the parts; the global one by default.

    Returns:
        The report; write it with :func:`write_picture_report`.

    Raises:
        DataFileError: there are fewer than two classes, or fewer than eight pictures in one of them.

    Cost: 600 steps with 64 pictures of 28 x 28 take half a minute on one core.
    """
    known = labels >= 0
    x, labels = _padded(x[known]), labels[known]
    counts = torch.bincount(labels, minlength=len(classes))
    if len(classes) < 2 or len(counts) != len(classes) or int(counts.min()) < FEWEST:
        raise DataFileError(
            f"report: classes {', '.join(classes) or 'none'} have {counts.tolist()} pictures, wanted two"
            f" classes and {FEWEST} or more in each"
        )
    train, test = (torch.ones_like(labels, dtype=torch.bool),) * 2
    text = type(model).__name__
    if model is None:
        test = _shares(labels, 4, generator)
        train = ~test
        model = _fitted(x[train], labels[train], classes, steps, generator)
        text = f"picture_classifier, {sum(p.numel() for p in model.parameters()):,} parameters"
    model.eval()
    shown = kind_prototypes(model, x[train], labels[train], min(kinds, int(counts.min()) // 4 or 1))
    probabilities = model.predict_proba(x[test])
    density = in_parts(model.log_prob, x[test]).mean() / (x[0].numel() * math.log(2))
    return PictureReport(
        tuple(classes),
        clopper_pearson(int((probabilities.argmax(1) == labels[test]).sum()), int(test.sum())),
        -float(density),
        probabilities,
        labels[test],
        torch.stack([x[train][labels[train] == k].float().mean(0) / 255 for k in range(len(classes))]),
        model.prototypes(),
        shown,
        x[train][shown.nearest].float() / 255,
        text,
    )


def _fitted(
    x: Tensor, labels: Tensor, classes: Sequence[str], steps: int, generator: torch.Generator | None
) -> GenerativeClassifier:
    held = _shares(labels, 10, generator)
    model = picture_classifier(
        x.shape[1:],
        classes,
        steps=(1,) * LEVELS,
        hidden_channels=(24,) * LEVELS,
        readout_channels=48,
        loss=ClassAndDensityLoss(smoothing=0.02),
    )
    model.fit(
        x[~held],
        labels[~held],
        validation=(x[held], labels[held]),
        epochs=math.ceil(steps / math.ceil(int((~held).sum()) / BATCH)),
        batch_size=BATCH,
        learning_rate=3e-3,
        groups=(ParameterGroup("*base.location", 1e-2),),
        progress=False,
    )
    calibrate(model.eval(), x[held], labels[held])
    return model


def _shares(labels: Tensor, parts: int, generator: torch.Generator | None) -> Tensor:
    """One part of that many, as a mask ``(N,)``: of every class its share, at least one."""
    held = torch.zeros_like(labels, dtype=torch.bool)
    for label in labels.unique():
        rows = torch.nonzero(labels == label)[:, 0]
        count = max(1, len(rows) // parts)
        held[rows[torch.randperm(len(rows), generator=generator)[:count]]] = True
    return held


def _padded(x: Tensor) -> Tensor:
    """Pictures whose sides halve evenly; the last row and column are repeated where they do not."""
    down, right = (-size % 2**LEVELS for size in x.shape[2:])
    if not down and not right:
        return x
    return nn.functional.pad(x.float(), (0, right, 0, down), mode="replicate").byte()
