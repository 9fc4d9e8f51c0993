"""A photograph, what the shipped decoder paints from three depths, how wrong that may be, and two draws.

    python benchmarks/uncertainty_sheet.py docs/images/how_sure_painted.png

Needs the viz extra, and the zoo extra for the network and the photograph; ten seconds.
"""

import torch

from decoder_sheet import shown

TAPS = ("block 2", "block 7", "block 13")
TITLES = ("photograph", "painted", "likely error", "a draw", "another")
MOST = 0.3  # likely error at the bright end of its scale, of the range of a picture


def main() -> None:
    sheet = shown(__doc__, "chelsea")
    x, to_unit = sheet.x, sheet.network.preprocessing.to_unit
    attached = sheet.decoder.attach(sheet.inverse)

    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(TAPS), 5, figsize=(11, 2.2 * len(TAPS)), layout="constrained")
    for axis, title in zip(axes[0], TITLES, strict=True):
        axis.set_title(title)
    for row, (tap, y) in zip(axes, sheet.inverse.features(x, TAPS).items(), strict=True):
        posterior = attached.posterior(y, tap)
        draws = posterior.draw(2, torch.Generator().manual_seed(0))
        seen = [to_unit(part)[0] for part in (x, posterior.mean, *draws.split(1))]
        likely = posterior.standard_deviation[0].square().mean(0).sqrt() / 2  # of the range
        for axis, picture in zip((row[0], row[1], row[3], row[4]), seen, strict=True):
            axis.imshow(picture.clamp(0, 1).permute(1, 2, 0))
        drawn = row[2].imshow(likely, cmap="viridis", vmin=0, vmax=MOST)
        figure.colorbar(drawn, ax=row[2], ticks=[0, MOST])
        row[0].set_ylabel(tap, rotation=0, ha="right", va="center")
        low, high = posterior.interval(0.9)
        print(
            f"{tap:>9}  {((low <= x) & (x <= high)).double().mean():.1%} inside 90 %;  {posterior.certificate}"
        )
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.savefig(sheet.out, dpi=100)


if __name__ == "__main__":
    main()
