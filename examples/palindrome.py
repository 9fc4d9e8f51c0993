"""A palindromic autoencoder on small digits, beside the principal components of the same code size.

    python examples/palindrome.py                  # about a minute
    python examples/palindrome.py --epochs 2 --plot reconstructions.png

The digits are those of scikit-learn, 8 x 8 pixels. The network is 64-48-32-CODE with leaky rectifiers; its
second half applies the pseudo-inverses of the first half's weights, so it has no parameters of its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

import preimage as pi
from preimage import palindromes
from preimage.training import FitSettings


def digits(rows: int) -> tuple[Tensor, Tensor]:
    """Training and test digits ``(N, 64)`` in 0..1."""
    from sklearn.datasets import load_digits

    pixels, _ = load_digits(return_X_y=True)
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))[:rows]
    x = torch.tensor(pixels, dtype=torch.float32)[order] / 16
    held = len(x) // 4
    return x[held:], x[:held]


def principal_components(train: Tensor, test: Tensor, size: int) -> Tensor:
    """The best linear reconstruction of the test digits."""
    mean = train.mean(0)
    v = torch.linalg.svd(train - mean, full_matrices=False)[2][:size]
    return mean + (test - mean) @ v.mT @ v


def build(train: Tensor, code: int) -> palindromes.Palindrome:
    """The encoder, started at the principal components, and its mirror image."""
    encoder = nn.Sequential(
        palindromes.LeakyRange(0.0, 1.0),  # pixels lie in 0..1: the last layer almost clamps
        nn.Linear(64, 48),
        nn.LeakyReLU(0.3),
        nn.Linear(48, 32),
        nn.LeakyReLU(0.3),
        nn.Linear(32, code),
    )
    palindromes.start_at_principal_components(encoder, train, edge=2.0)
    return pi.palindrome(encoder, train[:1])


def plot(path: Path, rows: dict[str, Tensor]) -> None:
    """Ten digits and what became of them, one row a method."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(rows), 10, figsize=(10, 1.15 * len(rows) + 0.2))
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        for axis, picture in zip(line, pictures, strict=False):
            axis.imshow(picture.view(8, 8).numpy(), cmap="gray", vmin=0, vmax=1)
            axis.set_xticks([])
            axis.set_yticks([])
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(path, bbox_inches="tight", dpi=120)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--rows", type=int, default=1797)
    parser.add_argument("--code", type=int, default=12)
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args(arguments)
    torch.manual_seed(0)
    train, test = digits(chosen.rows)
    network = build(train, chosen.code)
    hidden, gram = palindromes.HiddenConsistency(network, test), palindromes.GramMonitor(network)
    settings = FitSettings(
        epochs=chosen.epochs, batch_size=64, learning_rate=2e-3, progress=False, patience=0
    )
    network.fit(train, settings, listeners=[hidden, gram])
    network.eval()
    with torch.no_grad():
        found = network(test)
        linear = principal_components(train, test, chosen.code)
        _, certificate = network.certified_decode(network.encode(test))
    figures = {
        "principal components": (linear - test).square().mean().item(),
        "principal components, clamped": (linear.clamp(0, 1) - test).square().mean().item(),
        "palindrome": (found - test).square().mean().item(),
        "hidden delta": max(hidden.now().values()),
        "gram deviation": max(gram.now().values()),
        "|encode(decode(c)) - c| / |c|": certificate.residual.max().item(),
    }
    for name, value in figures.items():
        print(f"{name:32} {value:.3g}")
    if chosen.plot:
        plot(chosen.plot, {"digits": test, "components": linear, "palindrome": found})
    return figures


if __name__ == "__main__":
    main()
