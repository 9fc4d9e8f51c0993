"""Blind spots of EfficientNet-Lite0: pairs of pictures that differ to the eye and not to the network.

    python benchmarks/null_space.py             # writes results/null_space.json and a sheet of pairs
    python benchmarks/null_space.py --pairs 1 --products 100   # a quick look

The first picture of a pair is a photograph. The second starts as another photograph, or as the mirror image of the
first, and is solved for the first one's answer, its probabilities of all 1000 classes, with pixels within their
range. PSNR is between the two pictures, relative to that range; the change is |f(x') - f(x)| / |f(x)| for f = softmax
of the logits, and beside it for f = the logits. The search was set up with other photographs.
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
    for column, head in zip(axes[0], ("x", "start", "x': same answer as x"), strict=True):
        column.set_title(head, fontsize=11)
    for row, (label, pictures) in zip(axes, pairs, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture)
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(label, fontsize=9)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def pair(
    network: zoo.Network, inverse: pi.Inverse, x: torch.Tensor, start: torch.Tensor, products: int
) -> tuple[torch.Tensor, dict]:
    """A picture near the start with the answer of x, and how far the two are apart."""
    logits = network.module(x)
    wanted = logits.softmax(1)
    low, high = (bound.view(1, -1, 1, 1) for bound in network.box)
    begun = time.process_time()
    other, certificate = inverse.boxed(
        Probabilities(wanted), low, high, to=start, tol=2e-4, steps=0, max_products=products
    )
    seconds = time.process_time() - begun
    seen, unit = network.module(other), network.preprocessing.to_unit
    return other, {
        "change": ((seen.softmax(1) - wanted).norm() / wanted.norm()).item(),
        "change_of_logits": ((seen - logits).norm() / logits.norm()).item(),
        "residual": certificate.residual.item(),
        "products": int(certificate.iterations),
        "psnr": psnr(unit(other), unit(x)).item(),
        "psnr_to_start": psnr(unit(other), unit(start)).item(),
        "cpu_seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--products", type=int, default=500, help="Jacobian products a pair")
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
        starts = {photographs[m].name: x[m : m + 1], "mirror image": x[n : n + 1].flip(3)}
        for name, start in starts.items():
            other, row = pair(network, inverse, x[n : n + 1], start, arguments.products)
            found.append({"pair": [photographs[n].name, name], **row})
            print(found[-1], flush=True)
            label = f"{row['psnr']:.1f} dB apart\nchange {row['change']:.1e}"
            pairs.append((label, [network.to_picture(v[0]) for v in (x[n : n + 1], start, other)]))
            report = {"size": arguments.size, "products": arguments.products, "pairs": found}
            arguments.result.write_text(json.dumps(report, indent=1) + "\n")
            sheet(pairs, SHEET if arguments.result == RESULT else arguments.result.with_suffix(".png"))


if __name__ == "__main__":
    main()
