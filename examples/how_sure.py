"""How sure is an inverse? Estimates, their likely errors and other possible inputs, at three depths.

    python examples/how_sure.py            # needs scikit-learn; half a minute
    python examples/how_sure.py --save how_sure.png

Trains a small convolutional network on the digits of scikit-learn, calibrates its inverse on other digits,
and asks on digits that neither has seen: how often do the 90 % intervals hold the truth?
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import preimage as pi

TAPS = {"after 1 layer": "1", "after the pool": "4", "the ten logits": "6"}


def train(x: Tensor, labels: Tensor, steps: int) -> nn.Module:
    features = [nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 16, 3, padding=1), nn.ReLU()]
    network = nn.Sequential(*features, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(64, 10))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x), labels).backward()
        optimiser.step()
    return network.eval().requires_grad_(False)


def save(rows: dict[str, list[Tensor]], path: Path) -> None:
    """A row a depth: the digit, its estimate, the likely error, and two draws with the same features."""
    import matplotlib.pyplot as plt

    titles = ("digit", "estimate", "likely error", "a sample", "another")
    figure, axes = plt.subplots(len(rows), 5, figsize=(8, 1.6 * len(rows)), layout="constrained")
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title)
    for row, (name, pictures) in zip(axes, rows.items(), strict=True):
        for axis, title, picture in zip(row, titles, pictures, strict=True):
            error = title == "likely error"
            drawn = axis.imshow(
                picture[0], cmap="viridis" if error else "gray_r", vmin=0, vmax=0.4 if error else 1
            )
            axis.set_xticks([])
            axis.set_yticks([])
            if error:
                figure.colorbar(drawn, ax=axis, ticks=[0, 0.4])
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(path, dpi=110)


def main(arguments_given: Sequence[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--save", type=Path, help="write pictures to this file")
    arguments = parser.parse_args(arguments_given)
    torch.manual_seed(0)
    pictures, targets = load_digits(return_X_y=True)
    x = torch.as_tensor(pictures).float().view(-1, 1, 8, 8) / 16
    labels = torch.as_tensor(targets)
    network = train(x[:1000], labels[:1000], arguments.steps)
    held_out = x[1400:]
    right = (network(held_out).argmax(1) == labels[1400:]).float().mean()
    print(f"trained: {right:.1%} of 397 held-out digits are recognised")

    inverse = pi.invert(network, x[:1], calibration=x[1000:1400], taps=list(TAPS.values()))
    covered: dict[str, float] = {}
    rows: dict[str, list[Tensor]] = {}
    print(f"{'from':16}{'error':>8}{'likely':>8}{'inside 90 %':>13}{'f(sample) - y':>15}")
    for name, tap in TAPS.items():
        posterior = inverse.posterior(inverse.features(held_out, [tap])[tap], tap)
        low, high = posterior.interval(0.9)
        covered[name] = ((low <= held_out) & (held_out <= high)).float().mean().item()
        error = (posterior.mean - held_out).square().mean().sqrt().item()
        likely = posterior.standard_deviation.square().mean().sqrt().item()

        one = inverse.posterior(inverse.features(held_out[:1], [tap])[tap], tap)
        samples, certificate = one.sample(2, torch.Generator().manual_seed(0))
        rows[name] = [held_out[0], one.mean[0], one.standard_deviation[0], *samples]
        print(f"{name:16}{error:8.3f}{likely:8.3f}{covered[name]:13.1%}{certificate.residual.max():15.0e}")
    if arguments.save:
        save(rows, arguments.save)
    return covered


if __name__ == "__main__":
    main()
