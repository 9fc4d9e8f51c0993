"""Draws samples of a flow that picture_flow.py trained, and crops of its training photographs beside them.

    python benchmarks/picture_sheet.py FOLDER

FOLDER is that of ``picture_flow.py --keep``.
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from picture_crops import crops
from preimage import flows

ROOT = Path(__file__).parents[1]


def sheet(pictures: Tensor) -> Tensor:
    """Four rows of four, with a white line between them, ``(H, W, 3)`` of bytes."""
    padded = torch.nn.functional.pad(pictures[:16].to(torch.uint8), (1, 1, 1, 1), value=255)
    return padded.unflatten(0, (4, 4)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    flow = flows.load(folder / "glow_uniform").eval()
    generator = torch.Generator().manual_seed(2)
    sheets = {"crops of photographs": crops(16)["train"]}
    for temperature in (1.0, 0.7):
        drawn = flow.tempered(temperature).sample(16, generator=generator)
        sheets[f"samples, temperature {temperature}"] = drawn
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.4))
    for ax, (title, pictures) in zip(axes, sheets.items(), strict=False):
        ax.imshow(sheet(pictures).numpy())
        ax.set_title(title, fontsize=10)
        ax.axis("off")
    report = json.loads((ROOT / "benchmarks" / "results" / "picture_flow.json").read_text())
    curve, dims = report["uniform"]["curve"], 3 * 32 * 32 * 0.6931
    for name, style, label in (("loss", "o-", "training"), ("validation_loss", "s--", "validation")):
        axes[3].plot(curve["step"], [loss / dims for loss in curve[name]], style, label=label)
    axes[3].set(xlabel="step", title="bits per dimension")
    axes[3].title.set_fontsize(10)
    axes[3].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "images" / "picture_flow.png", dpi=90)


if __name__ == "__main__":
    main()
