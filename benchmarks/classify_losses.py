"""Losses, temperatures and kinds of latents of a small generative classifier, on small digits.

    python benchmarks/classify_losses.py        # writes benchmarks/results/classify_losses.json

MNIST-5k, averaged down to 14 x 14 pixels: 800 digits to train on, 1,500 others to measure on, none of them from
the test part; nothing here was tuned, two seeds each. Also here: how much the class says about a picture in bits beside
the differences between runs, and other classifiers on the pixels and on the latents.
"""

import json
import math
import statistics
import time
from pathlib import Path

import torch
from sklearn.linear_model import LogisticRegression

from classify_data import pictures
from preimage.classify import (
    ClassAndBitsLoss,
    ClassAndDensityLoss,
    ClassLoss,
    DensityLoss,
    GenerativeClassifier,
    InformationBottleneckLoss,
    class_information,
    picture_class_flow,
    reliability,
)
from preimage.classify.latents import latents
from preimage.flows import (
    ClassConditionalNormal,
    FixedClassConditionalNormal,
    Flow,
    Normal,
    random_means,
)
from preimage.training.parameter_groups import ParameterGroup

RESULT = Path(__file__).parent / "results" / "classify_losses.json"
SEEDS = (0, 1)
SHAPE, CLASSES, NUMBERS = (4, 7, 7), 10, 196
SIZES = {"steps": (2,), "hidden_channels": (16,), "readouts": 2, "readout_channels": 24}
SETTINGS = {"epochs": 5, "batch_size": 32, "learning_rate": 5e-3, "patience": 0, "progress": False}


class FixedTemperature(GenerativeClassifier):
    """A classifier whose temperature stays where it is."""

    def __init__(self, flow: Flow, classes: int, **arguments: object) -> None:
        super().__init__(flow, classes, **arguments)  # pyright: ignore[reportArgumentType]
        self.log_temperature.requires_grad_(False)


BASES = {
    "unit spreads": None,
    "learnt spreads": lambda: ClassConditionalNormal(*SHAPE, classes=CLASSES, spread=0.1),
    "fixed random means (Flow-GMM)": lambda: FixedClassConditionalNormal(random_means(CLASSES, *SHAPE)),
}
ROWS = {
    "class + density / D": ("unit spreads", ClassAndDensityLoss(), True),
    "class + bits, f = 0.1": ("unit spreads", ClassAndBitsLoss(0.1), True),
    "class + bits, f = 1": ("unit spreads", ClassAndBitsLoss(1.0), True),
    "class + bits, f = 10": ("unit spreads", ClassAndBitsLoss(10.0), True),
    "class + bits, f = 1, t = 1 fixed": ("unit spreads", ClassAndBitsLoss(1.0), False),
    "information bottleneck, beta = 1": ("unit spreads", InformationBottleneckLoss(1.0, noise=0.003), True),
    "class alone": ("unit spreads", ClassLoss(), True),
    "density alone": ("unit spreads", DensityLoss(), True),
    **{f"class + density / D, {name}": (name, ClassAndDensityLoss(), True) for name in list(BASES)[1:]},
}


def small(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(x.float(), 2).round().to(torch.uint8)


def built(name: str, seed: int) -> GenerativeClassifier:
    base, loss, learnt = ROWS[name]
    torch.manual_seed(seed)
    flow = picture_class_flow((1, 14, 14), CLASSES, **SIZES)
    make = BASES[base]
    if make is not None:
        flow = Flow(flow.bijection, make(), surjection=flow.surjection)
    kind = GenerativeClassifier if learnt else FixedTemperature
    return kind(flow, CLASSES, loss=loss)


def trained(
    model: GenerativeClassifier, x: torch.Tensor, labels: torch.Tensor, seed: int
) -> GenerativeClassifier:
    means = [name for name, _ in model.named_parameters() if name.endswith("base.location")]
    groups = (ParameterGroup("*base.location", 2e-2),) if means else ()
    model.fit(x, labels, hold_out=0.0, seed=seed, groups=groups, **SETTINGS)
    return model.eval()


@torch.no_grad()
def measured(model: GenerativeClassifier, x: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    probability, table = model.predict_proba(x), model.class_log_prob(x)
    return {
        "accuracy": float((probability.argmax(1) == labels).double().mean()),
        "bits_per_dim": float(-model.log_prob(x).mean() / (NUMBERS * math.log(2))),
        "calibration_error": reliability(probability, labels).error,
        "temperature": model.temperature.item(),
        "class_bits": class_information(table, labels, model.log_prior),
    }


def summary(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        key: {"mean": statistics.mean(r[key] for r in runs), "spread": statistics.stdev(r[key] for r in runs)}
        for key in runs[0]
    }


def unconditional(data: tuple[torch.Tensor, ...], seed: int) -> float:
    """Bits for a picture of the same flow without classes."""
    x, _, held, _ = data
    torch.manual_seed(seed)
    made = picture_class_flow((1, 14, 14), CLASSES, **SIZES)
    flow = Flow(made.bijection, Normal(*SHAPE, learn=True), surjection=made.surjection)
    flow.fit(x, hold_out=0.0, seed=seed, **SETTINGS)
    with torch.no_grad():
        return float(-flow.eval().log_prob(held).mean() / math.log(2))


def heads(model: GenerativeClassifier, data: tuple[torch.Tensor, ...]) -> dict[str, float]:
    """Accuracy of a linear classifier on the pixels and on the latents."""
    x, labels, held, truth = data
    with torch.no_grad():
        features = [latents(model.flow, part)[0].flatten(1).numpy() for part in (x, held)]
    pixels = [part.flatten(1).numpy() / 255 for part in (x, held)]
    found = {}
    for name, (known, new) in {"pixels": pixels, "latents": features}.items():
        linear = LogisticRegression(C=0.02, max_iter=2000).fit(known, labels.numpy())
        found[name] = float(linear.score(new, truth.numpy()))
    return found


def main() -> None:
    torch.set_num_threads(1)
    begun = time.process_time()
    found = pictures("mnist-5k")
    assert found.labels is not None
    x = small(torch.cat([found.train, found.validation]))
    labels = torch.cat([found.labels.train, found.labels.validation])
    data = (x[:800], labels[:800], x[800:2300], labels[800:2300])
    rows, kept, density = {}, {}, []
    for name in ROWS:
        runs = []
        for seed in SEEDS:
            model = trained(built(name, seed), *data[:2], seed)
            torch.manual_seed(seed)
            runs.append(measured(model, *data[2:]))
            kept[name] = model
        rows[name] = summary(runs)
        density += [run["bits_per_dim"] * NUMBERS for run in runs] if name == "density alone" else []
        print(name, rows[name]["accuracy"], rows[name]["bits_per_dim"], flush=True)
    plain = [unconditional(data, seed) for seed in SEEDS]
    result = {
        "command": "python benchmarks/classify_losses.py",
        "rows": rows,
        "trained_on": len(data[0]),
        "measured_on": len(data[2]),
        "information": {
            "bits_of_a_picture_with_classes": density,
            "bits_of_a_picture_without_classes": plain,
            "bits_of_the_class": rows["density alone"]["class_bits"],
            "bound": math.log2(CLASSES),
        },
        "heads": {
            "after class + density / D": heads(kept["class + density / D"], data),
            "after density alone": heads(kept["density alone"], data),
        },
        "cpu_seconds": round(time.process_time() - begun),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
