"""Paint a photograph from what a pretrained network keeps of it at a few depths.

    python examples/paint_from_features.py --taps "block 2,block 7,pooled" --out painted.png

Needs the zoo extra for the network, and the viz extra for the sheet. Beside each painted picture stands the
photograph shrunk to the tap's own size and enlarged: what an inverse has to beat.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import preimage as pi
from preimage import gallery, zoo
from preimage.gallery.yardsticks import shrink_and_enlarge, spatial_size


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--picture", type=Path, help="a picture file; a packaged photograph by default")
    parser.add_argument(
        "--taps", default="block 2,block 4,block 7,block 10,pooled", help="comma-separated depths"
    )
    parser.add_argument("--products", type=int, default=24, help="of the refinement; 0 leaves it out")
    parser.add_argument("--out", type=Path, help="picture file for the sheet")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    options = arguments(given)
    network = zoo.load("efficientnet-lite0")
    taps = {**network.taps, "logits": zoo.Tap("logits", "_fc")}
    inverse = pi.invert(network.module, network.example, taps=taps)
    attached = pi.decoders.load("efficientnet-lite0").attach(inverse)
    photograph = zoo.read_picture(options.picture) if options.picture else zoo.pictures("demo")[2].read()
    x = network.preprocess(photograph)[None]  # (1, 3, 224, 224)
    unit = network.preprocessing.to_unit

    columns = {}
    for tap, y in attached.features(x, options.taps.split(",")).items():
        answers = {"painted": attached.calibrated(y, tap)[0]}
        if options.products:
            answers["refined"] = attached.solve(y, tap, max_products=options.products)[0]
        found = {name: unit(answer) for name, answer in answers.items()}
        found["shrunk"] = shrink_and_enlarge(unit(x), spatial_size(tuple(y.shape[1:])))
        quality = {name: float(gallery.psnr(unit(x), picture)) for name, picture in found.items()}
        print(f"{tap:>9}  " + "  ".join(f"{name} {value:5.2f} dB" for name, value in quality.items()))
        columns[tap] = {f"{name} {quality[name]:.1f} dB": picture[0] for name, picture in found.items()}
    if options.out:
        draw(unit(x)[0], columns, options.out)


def draw(original: Tensor, columns: dict[str, dict[str, Tensor]], out: Path) -> None:
    """One column a depth, the photograph first."""
    from matplotlib.figure import Figure

    rows = max(len(column) for column in columns.values())
    figure = Figure(figsize=(2.2 * (len(columns) + 1), 2.45 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, len(columns) + 1, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    axes[0, 0].imshow(shown(original))
    axes[0, 0].set_title("photograph", fontsize=9)
    for number, (tap, column) in enumerate(columns.items(), start=1):
        for axis, (title, picture) in zip(axes[:, number], column.items(), strict=False):
            axis.imshow(shown(picture))
            axis.set_title(f"{tap}: {title}", fontsize=9)
    figure.savefig(out, dpi=100)
    print(f"wrote {out}")


def shown(picture: Tensor) -> np.ndarray:
    return picture.permute(1, 2, 0).numpy()  # (H, W, 3)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
