"""Blind spots of EfficientNet-Lite0: pairs of pictures that differ to the eye and not to the network.

    python benchmarks/null_space.py             # writes results/null_space.json and a sheet of pairs
    python benchmarks/null_space.py --pairs 1   # a quick look

The first picture of a pair is a photograph. The second starts as another photograph and is solved for the first
one's answer: its probabilities of all 1000 classes. PSNR is between the two pictures, relative to their range;
the change is |f(x') - f(x)| / |f(x)| for f = softmax of the logits.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

import preimage as pi
from preimage import zoo
from preimage.gallery.metrics import psnr
from preimage.inverse.preimages import Probabilities

RESULT = Path(__file__).parent / "results" / "null_space.json"
SHEET = Path(__file__).parents[1] / "docs" / "images" / "null_space.png"


def sheet(pairs: list[tuple[str, list[np.ndarray]]], path: Path) -> None:
    """A row a pair: the first picture, what the second started as, the second."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(pairs), 3, figsize=(7.5, 2.7 * len(pairs)), squeeze=False, layout="constrained"
    )
    for column, head in zip(axes[0], ("x", "another photograph", "x': same answer as x"), strict=True):
        column.set_title(head, fontsize=11)
    for row, (label, pictures) in zip(axes, pairs, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture)
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(label, fontsize=9)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0", size=arguments.size)
    inverse = pi.invert(network.module, network.example)
    photographs = zoo.pictures("demo")
    x = torch.stack([network.preprocess(p.read()) for p in photographs])
    found: list[dict] = []
    pairs: list[tuple[str, list[np.ndarray]]] = []
    for n in range(min(arguments.pairs, len(x))):
        m = (n + 1) % len(x)
        wanted = network.module(x[n : n + 1]).softmax(1)
        begun = time.process_time()
        other, certificate = inverse.solve(
            Probabilities(wanted), start=x[m : m + 1], tol=2e-4, max_products=400
        )
        seconds = time.process_time() - begun
        inside = other.clamp(*network.box)
        change = (network.module(inside).softmax(1) - wanted).norm() / wanted.norm()
        unit = network.preprocessing.to_unit
        row = {
            "pair": [photographs[n].name, photographs[m].name],
            "change": change.item(),
            "residual_before_clipping": certificate.residual.item(),
            "psnr": psnr(unit(inside), unit(x[n : n + 1])).item(),
            "psnr_to_start": psnr(unit(inside), unit(x[m : m + 1])).item(),
            "cpu_seconds": seconds,
        }
        found.append(row)
        print(row, flush=True)
        label = f"{row['psnr']:.1f} dB apart\nchange {row['change']:.1e}"
        pairs.append((label, [network.to_picture(v) for v in (x[n], x[m], inside[0])]))
        arguments.result.write_text(json.dumps({"size": arguments.size, "pairs": found}, indent=1) + "\n")
        sheet(pairs, SHEET if arguments.result == RESULT else arguments.result.with_suffix(".png"))


if __name__ == "__main__":
    main()
