"""Generative classifiers of pictures: accuracy, bits, calibration, strangers, abstention, prototypes.

    python benchmarks/classify_pictures.py --keep FOLDER       # writes benchmarks/results/classify_pictures.json

Measures what benchmarks/classify_train.py left in FOLDER, on the test part; the temperature is fitted on the
validation part. Draws docs/images/classify_*.png.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from classify_data import pictures
from classify_draw import counterfactual_sheet, prototype_sheet, reliability_sheet
from classify_train import seconds
from preimage.classify import (
    AveragedViews,
    EqualMassBins,
    GenerativeClassifier,
    abstention_threshold,
    best_temperature,
    class_information,
    load_classifier,
    mirrored,
    moved,
    reliability,
    separation,
    smallest_move,
    unchanged,
)
from preimage.classify.parts import in_parts
from preimage.functional.statistics.proportion import clopper_pearson

HERE = Path(__file__).parent
RESULT = HERE / "results" / "classify_pictures.json"
IMAGES = HERE.parent / "docs" / "images"
RISKS = {"fashion-mnist": 0.05, "mnist-5k": 0.05}
STEPS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
VIEWS = {
    "itself and its mirror": (unchanged, mirrored),
    "five places, each with its mirror": tuple(
        view for step in STEPS for view in (moved(*step), lambda x, step=step: mirrored(moved(*step)(x)))
    ),
}
"""Views of clothes; digits have no mirror, and their classifier was not trained with moves."""


def share(right: Tensor) -> dict[str, float]:
    found = clopper_pearson(int(right.sum()), len(right))
    return {"value": found.value, "low": found.low, "high": found.high, "rows": len(right)}


def errors(probability: Tensor, labels: Tensor) -> dict[str, float]:
    return {
        "equal_width": reliability(probability, labels).error,
        "equal_mass": reliability(probability, labels, EqualMassBins(15)).error,
    }


def abstaining(
    held: Tensor, held_labels: Tensor, test: Tensor, labels: Tensor, risk: float
) -> dict[str, float]:
    """A threshold from the validation part, and what it does on the test part."""
    confidence, guess = held.max(1)
    threshold, _ = abstention_threshold(confidence, guess == held_labels, risk)
    sure, predicted = test.max(1)
    answered = sure >= threshold
    wrong = float((predicted != labels)[answered].double().mean()) if answered.any() else math.nan
    return {
        "risk_wanted": risk,
        "answered": float(answered.double().mean()),
        "risk": wrong if math.isfinite(wrong) else None,
    }


def strangers(model: GenerativeClassifier, known: Tensor, test: Tensor, strange: Tensor) -> dict[str, float]:
    """How well pictures of another kind are told from known ones, from tables of log-densities."""
    density = [-(table + model.log_prior).logsumexp(1) for table in (known, test, strange)]
    entropy = density[0].mean()
    doubt = [1 - probabilities(model, table).amax(1) for table in (test, strange)]
    return {
        "log-density": separation(density[1], density[2]),
        "typicality": separation((density[1] - entropy).abs(), (density[2] - entropy).abs()),
        "doubt about the class": separation(*doubt),
    }


@torch.no_grad()
def probabilities(model: GenerativeClassifier | AveragedViews, table: Tensor) -> Tensor:
    return (table / model.temperature + model.log_prior).softmax(1)


def over_views(model: GenerativeClassifier, data: Any) -> dict[str, Any]:
    """Accuracy and calibration averaged over views, which the validation part chooses and calibrates."""
    held = data.labels.validation
    found = {}
    for name, views in VIEWS.items():
        both = AveragedViews(model, views)
        scores = in_parts(both.class_scores, data.validation)
        found[name] = (float((probabilities(both, scores).argmax(1) == held).double().mean()), both, scores)
    name = max(found, key=lambda word: found[word][0])
    _, both, scores = found[name]
    both.log_temperature.data.fill_(math.log(best_temperature(scores, held, both.log_prior)))
    probability = both.predict_proba(data.test)
    return {
        "views": name,
        "validation_accuracy": {word: entry[0] for word, entry in found.items()},
        "accuracy": share(probability.argmax(1) == data.labels.test),
        "calibration_error_after_temperature": errors(probability, data.labels.test),
    }


def prototypes(model: GenerativeClassifier) -> dict[str, float]:
    found = model.prototypes(tolerance=1e-4)
    return {
        "residual": float(found.certificate.residual.max()),
        "smallest_probability": float(found.probability.min()),
        "lowest": float(found.x.min()),
        "highest": float(found.x.max()),
    }


def measured(name: str, path: str | None, other: str | None, keep: Path) -> dict[str, Any]:
    torch.manual_seed(0)
    data, model = pictures(name, path), load_classifier(keep / name)
    stranger = pictures("mnist-5k" if name == "fashion-mnist" else "fashion-mnist", other)
    assert data.labels is not None
    labels, held = data.labels.test, data.labels.validation
    table, held_table, strange = (
        in_parts(model.class_log_prob, part) for part in (data.test, data.validation, stranger.test[:2000])
    )
    scores, held_scores = (
        in_parts(model.class_scores, data.test),
        in_parts(model.class_scores, data.validation),
    )
    before, trained_at = probabilities(model, scores), model.temperature.item()
    fitted = best_temperature(held_scores, held, model.log_prior)
    model.log_temperature.data.fill_(math.log(fitted))
    probability, held_probability = probabilities(model, scores), probabilities(model, held_scores)
    numbers = data.test[0].numel()
    result = {
        "accuracy": share(probability.argmax(1) == labels),
        "validation_accuracy": share(held_probability.argmax(1) == held),
        "bits_per_dim": float(-(table + model.log_prior).logsumexp(1).mean() / (numbers * math.log(2))),
        "class_bits": class_information(table, labels, model.log_prior),
        "calibration_error": errors(before, labels),
        "calibration_error_after_temperature": errors(probability, labels),
        "temperature": {"trained": trained_at, "calibrated": fitted},
        "abstention": abstaining(held_probability, held, probability, labels, RISKS[name]),
        "strangers": strangers(model, held_table, table[:2000], strange),
        "prototypes": prototypes(model),
        "parameters": sum(p.numel() for p in model.parameters()),
        "training": seconds(name, keep),
    }
    if name == "fashion-mnist":
        result["averaged over views"] = over_views(model, data)
    draw(name, model, data, before, probability, labels)
    return result


def draw(
    name: str, model: GenerativeClassifier, data: Any, before: Tensor, after: Tensor, labels: Tensor
) -> None:
    slug = name.replace("-", "_")
    prototype_sheet(model, data).savefig(IMAGES / f"classify_prototypes_{slug}.png")
    reliability_sheet(before, after, labels).savefig(IMAGES / f"classify_reliability_{slug}.png")
    rows = torch.stack([(data.labels.test == label).nonzero()[0, 0] for label in range(6)])
    target = (data.labels.test[rows] + 1) % model.classes
    moved = smallest_move(model, data.test[rows], target, margin=2.0)
    counterfactual_sheet(model, data, rows, moved).savefig(IMAGES / f"classify_counterfactuals_{slug}.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, required=True, help="folder of the trained models")
    parser.add_argument("--fashion", help="folder of Fashion-MNIST; where its package puts it by default")
    parser.add_argument("--mnist", help="file of MNIST-5k; that of its package by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    IMAGES.mkdir(exist_ok=True)
    paths = {"fashion-mnist": arguments.fashion, "mnist-5k": arguments.mnist}
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    result["command"] = "python benchmarks/classify_pictures.py --keep FOLDER"
    for name, path in paths.items():
        if (arguments.keep / name).exists():
            other = next(p for n, p in paths.items() if n != name)
            result[name] = measured(name, path, other, arguments.keep)
            print(json.dumps(result[name], indent=1), flush=True)
            RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
