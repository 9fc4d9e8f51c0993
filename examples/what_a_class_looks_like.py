"""What a class looks like to a generative classifier: train one on digits, then run it backwards.

    python examples/what_a_class_looks_like.py --out digits.png

Uses the 8 x 8 digits that ship with scikit-learn; about half a minute on one core. Prints the accuracy with
its interval, the calibration error, and how exactly the prototypes encode to the class means; draws, for
every digit, the mean of the data, the inverted class mean, the clearest version of it, and a digit turned
into the next one.
"""

import argparse
from collections.abc import Sequence

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from preimage import classify
from preimage.functional.statistics.proportion import clopper_pearson

SHADES = 16  # the digits have grey levels from 0 to 16


def digits() -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, 8, 8) of whole numbers from 0 to 16, and what they show (N,)."""
    pixels, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(pixels, dtype=torch.uint8).reshape(-1, 1, 8, 8)
    return x[order], torch.tensor(labels)[order].long()


def draw(path: str, rows: dict[str, Tensor]) -> None:
    """One line of pictures for every entry, all between 0 and 1."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.4, 1.0 * len(rows) + 0.2), layout="constrained", dpi=120)
    for line, (name, pictures) in zip(figure.subplots(len(rows), 10), rows.items(), strict=True):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        for axes, picture in zip(line, pictures, strict=True):
            axes.imshow(picture[0].clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
    figure.savefig(path)


def trained(x: Tensor, labels: Tensor, epochs: int) -> classify.GenerativeClassifier:
    """A small classifier of the digits."""
    torch.manual_seed(0)
    sizes = {"steps": (2,), "hidden_channels": (24,), "readout_channels": 32}
    model = classify.picture_classifier((1, 8, 8), 10, grey_levels=SHADES + 1, **sizes)
    model.fit(x, labels, epochs=epochs, batch_size=64, learning_rate=5e-3, progress=False)
    return model.eval()


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", help="where the picture is written; none by default")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    options = parsed(arguments)
    x, labels = digits()
    model = trained(x[:1200], labels[:1200], options.epochs)
    classify.calibrate(model, x[1200:1400], labels[1200:1400])

    probability, truth = model.predict_proba(x[1400:]), labels[1400:]
    right = probability.argmax(1) == truth
    calibration = classify.reliability(probability, truth).error
    print("accuracy on digits that it has not seen:", clopper_pearson(int(right.sum()), len(right)))
    print(f"calibration error: {calibration:.3f}")

    found = model.prototypes()
    print(f"inverted class means: {found.certificate}")
    inside = (0.0, 1.0)
    clear = classify.refined_prototypes(
        model, found.x.clamp(*inside), found.labels, density_weight=0.01, bounds=inside, steps=options.epochs
    )
    shown = torch.stack([x[(labels == digit).nonzero()[0, 0]] for digit in range(10)])
    moved = classify.smallest_move(model, shown, (torch.arange(10) + 1) % 10, margin=3.0)
    print(f"smallest moves to the next digit, in standard deviations: {moved.distance.mean():.2f} on average")

    if options.out:
        means = torch.stack([x[labels == digit].float().mean(0) for digit in range(10)]) / SHADES
        rows = {
            "mean of the data": means,
            "class mean, inverted": found.x,
            "clearest": clear.x,
            "a digit": shown / SHADES,
            "as the next digit": moved.x,
        }
        draw(options.out, rows)
    return {
        "accuracy": float(right.double().mean()),
        "residual": float(found.certificate.residual.max()),
        "moved": float((moved.probability > 0.5).double().mean()),
    }


if __name__ == "__main__":
    main()
