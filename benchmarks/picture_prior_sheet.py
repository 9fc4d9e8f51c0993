"""Draws what the picture decoder paints of one photograph from several depths, above the yardstick.

    python benchmarks/picture_prior_sheet.py docs/images/picture_prior.png

Needs the viz extra, and the zoo extra for the network and the photograph; some seconds.
"""

import torch

from decoder_sheet import shown
from preimage.gallery.metrics import psnr
from preimage.gallery.yardsticks import shrink_and_enlarge, spatial_size

TAPS = ("block 2", "block 4", "block 7", "block 10", "block 14")


def main() -> None:
    sheet = shown(__doc__, "quokka")
    x, to_unit = sheet.x, sheet.network.preprocessing.to_unit
    columns = {"photograph": [to_unit(x)]}
    for tap, y in sheet.inverse.features(x, TAPS).items():
        with torch.no_grad():
            painted = to_unit(sheet.decoder(y, tap)).clamp(0, 1)
        columns[tap] = [painted, shrink_and_enlarge(to_unit(x), spatial_size(tuple(y.shape[1:])))]

    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(columns), figsize=(13, 4.9), layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for column, (title, pictures) in zip(axes.T, columns.items(), strict=True):
        for axis, picture, kind in zip(column, pictures, ("painted", "shrunk"), strict=False):
            level = float(psnr(to_unit(x), picture))
            axis.set_title(
                title if title == "photograph" else f"{title}: {kind} {level:.1f} dB", fontsize="medium"
            )
            axis.imshow(picture[0].clamp(0, 1).permute(1, 2, 0))
    figure.savefig(sheet.out, dpi=100)


if __name__ == "__main__":
    main()
