"""Pictures that EfficientNet-Lite0 was asked for by name, judged by Lite0 and by a network that never saw them.

    python benchmarks/class_preimages.py              # writes results/class_preimages.json and a sheet
    python benchmarks/class_preimages.py --tune       # the classes on which settings are chosen
    python benchmarks/class_preimages.py --classes 2  # a quick look

Data-free pictures use the batch norm statistics and smoothness; calibrated ones the spectrum of the calibration
photographs. Both are rounded to 8 bits before they are judged. The verifier is Lite2, of its own weights, at its
own size; it takes no part in the search. Settings are chosen on other classes than the reported ones.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import preimage as pi
from preimage import zoo
from preimage.inverse.preimages import Gaussian, Recipe

RESULT = Path(__file__).parent / "results" / "class_preimages.json"
SHEET = Path(__file__).parents[1] / "docs" / "images" / "class_preimages.png"
TUNING, REPORTED = slice(0, 8), slice(8, None)  # of one shuffled list of all classes


def judged(network: zoo.Network, verifier: zoo.Network, picture: np.ndarray, label: int) -> dict:
    """First answers to the picture as it would be stored."""
    own = network.module(network.preprocess(picture)[None])
    other = verifier.module(verifier.preprocess(picture)[None])
    return {
        "own": bool(own.argmax() == label),
        "own_probability": own.softmax(1)[0, label].item(),
        "verifier": bool(other.argmax() == label),
        "verifier_top5": bool((other.topk(5).indices == label).any()),
        "verifier_probability": other.softmax(1)[0, label].item(),
    }


def photographs(network: zoo.Network) -> Tensor:
    return torch.stack([network.preprocess(p.read()) for p in zoo.pictures("calibration")])


def sheet(pictures: dict[str, list[tuple[str, np.ndarray]]], path: Path) -> None:
    """One row a mode, one column a class."""
    import matplotlib.pyplot as plt

    columns = min(8, *(len(row) for row in pictures.values()))
    figure, axes = plt.subplots(
        len(pictures),
        columns,
        figsize=(2.2 * columns, 2.6 * len(pictures)),
        squeeze=False,
        layout="constrained",
    )
    for row, (mode, found) in zip(axes, pictures.items(), strict=True):
        for axis, (title, picture) in zip(row, found, strict=False):
            axis.imshow(picture)
            axis.set_title(title, fontsize=9)
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(mode, fontsize=11)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def title(name: str, verdict: dict) -> str:
    short = name if len(name) < 20 else name[:18] + "…"
    return f"{short}\nLite2: {verdict['verifier_probability']:.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--classes", type=int, default=12)
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--statistics", type=float, default=Recipe().statistics)
    parser.add_argument("--rate", type=float, default=Recipe().rate)
    parser.add_argument("--modes", nargs="*", default=["data-free", "calibrated"])
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network, verifier = zoo.load("efficientnet-lite0"), zoo.load("efficientnet-lite2")
    nn.Module.eval(network.module)
    inverse = pi.invert(network.module, network.example)
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(123)).tolist()
    labels = order[TUNING if arguments.tune else REPORTED][: arguments.classes]
    recipe = Recipe(steps=arguments.steps, statistics=arguments.statistics, rate=arguments.rate)
    priors = {"data-free": None, "calibrated": Gaussian.of_data(photographs(network))}
    found: dict = {"recipe": vars(recipe), "tuning_classes": bool(arguments.tune), "modes": {}}
    pictures: dict[str, list[tuple[str, np.ndarray]]] = {mode: [] for mode in arguments.modes}
    for label in labels:
        for mode in arguments.modes:
            begun = time.process_time()
            x, _ = inverse.class_preimage(label, box=network.box, prior=priors[mode], recipe=recipe)
            seconds, picture = time.process_time() - begun, network.to_picture(x[0])
            verdict = judged(network, verifier, picture, label)
            row = {"class": network.classes[label], **verdict, "cpu_seconds": seconds}
            found["modes"].setdefault(mode, []).append(row)
            pictures[mode].append((title(network.classes[label], verdict), picture))
            print(mode, row, flush=True)
        if not arguments.tune:
            arguments.result.write_text(json.dumps(found, indent=1) + "\n")
            sheet(pictures, SHEET if arguments.result == RESULT else arguments.result.with_suffix(".png"))


if __name__ == "__main__":
    main()
