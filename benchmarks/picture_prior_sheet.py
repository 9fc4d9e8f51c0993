"""Draws what the picture decoder paints of one photograph from several depths, above the yardstick.

    python benchmarks/picture_prior_sheet.py docs/images/picture_prior.png

Needs the viz extra, and the zoo extra for the network and the photograph; some seconds.
"""

import argparse
from pathlib import Path

import torch

import preimage as pi
from preimage import decoders, zoo
from preimage.gallery.metrics import psnr
from preimage.gallery.yardsticks import shrink_and_enlarge, spatial_size

TAPS = ("block 2", "block 4", "block 7", "block 10", "block 14")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--decoder", default="efficientnet-lite0", help="name or folder")
    parser.add_argument("--picture", default="quokka", help="name of a packaged photograph")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0")
    inverse = pi.invert(network.module, network.example, taps=network.taps)
    decoder, to_unit = decoders.load(arguments.decoder), network.preprocessing.to_unit
    (photograph,) = (p for p in zoo.pictures() if p.name == arguments.picture)
    x = network.preprocess(photograph.read())[None]
    columns = {"photograph": [to_unit(x)]}
    for tap, y in inverse.features(x, TAPS).items():
        with torch.no_grad():
            painted = to_unit(decoder(y, tap)).clamp(0, 1)
        columns[tap] = [painted, shrink_and_enlarge(to_unit(x), spatial_size(tuple(y.shape[1:])))]

    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(columns), figsize=(13, 4.9), layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for column, (title, shown) in zip(axes.T, columns.items(), strict=True):
        for axis, picture, kind in zip(column, shown, ("painted", "shrunk"), strict=False):
            level = float(psnr(to_unit(x), picture))
            axis.set_title(
                title if title == "photograph" else f"{title}: {kind} {level:.1f} dB", fontsize="medium"
            )
            axis.imshow(picture[0].clamp(0, 1).permute(1, 2, 0))
    figure.savefig(arguments.out, dpi=100)


if __name__ == "__main__":
    main()
