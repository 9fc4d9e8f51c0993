"""Which input would make a digit classifier answer [0,0,0,0,0,1,0,0,0,0]?

    python examples/which_input_would_answer.py            # needs scikit-learn
    python examples/which_input_would_answer.py --save answers.png

Trains 64-32-32-10 on the digits of scikit-learn and asks for each of the ten answers in several ways. Every
answer is checked by running the network forward.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import preimage as pi
from preimage.inverse.preimages import Gaussian


def train(x: Tensor, labels: Tensor, steps: int) -> nn.Module:
    network = nn.Sequential(
        nn.Linear(64, 32), nn.LeakyReLU(0.3), nn.Linear(32, 32), nn.LeakyReLU(0.3), nn.Linear(32, 10)
    ).double()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.mse_loss(network(x), torch.eye(10).double()[labels]).backward()
        optimiser.step()
    return network.eval().requires_grad_(False)


def save(answers: dict[str, Tensor], path: Path) -> None:
    """One row a way of asking, one column a digit."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(answers), 10, figsize=(11, 1.25 * len(answers)), layout="constrained")
    for axis, digit in zip(axes[0], range(10), strict=True):
        axis.set_title(f"“{digit}”")
    for row, (name, pictures) in zip(axes, answers.items(), strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture.view(8, 8).numpy(), cmap="gray_r")
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(path, dpi=110)


def main(arguments_given: Sequence[str] | None = None) -> dict[str, int]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--save", type=Path, help="write the pictures to this file")
    arguments = parser.parse_args(arguments_given)
    torch.manual_seed(0)
    pictures, targets = load_digits(return_X_y=True)
    x, labels = torch.as_tensor(pictures).double() / 16, torch.as_tensor(targets)
    network = train(x[:1400], labels[:1400], arguments.steps)
    right = (network(x[1400:]).argmax(1) == labels[1400:]).double().mean()
    print(f"trained: {right:.1%} of 397 held-out digits are recognised")

    inverse, wanted = pi.invert(network, x[:1]), torch.eye(10).double()
    print(f"of 64 inputs, {inverse.null_space(x[:1]).dimension.item()} directions change nothing\n")
    asked = {
        "chain": inverse.data_free(wanted),
        "least norm": inverse.minimum_norm(wanted),
        "pixels 0..1": inverse.boxed(wanted, 0.0, 1.0, to=torch.zeros(1, 64).double()),
        "nearest to a digit": inverse.nearest(wanted, x[:1]),
        "most probable": inverse.with_prior(wanted, Gaussian.of_data(x[:1400]), steps=10),
    }
    means = torch.stack([x[:1400][labels[:1400] == digit].mean(0) for digit in range(10)])
    print(f"{'asked for':20}{'|f(x)-y|/|y|':>14}{'recognised':>12}{'|x|':>8}{'to class mean':>15}")
    answers: dict[str, Tensor] = {}
    right_of_ten: dict[str, int] = {}
    for name, (found, certificate) in asked.items():
        picture = found if isinstance(found, Tensor) else found[0]
        answers[name] = picture
        recognised = right_of_ten[name] = int((network(picture).argmax(1) == torch.arange(10)).sum())
        away = (picture - means).norm(dim=1).mean().item()
        size = picture.norm(dim=1).mean().item()
        print(f"{name:20}{certificate.residual.max():14.1e}{recognised:9}/10{size:8.2f}{away:15.2f}")
    print("\nAll of them get the very same answer: the answer does not hold the picture.")
    if arguments.save:
        save(answers, arguments.save)
    return right_of_ten


if __name__ == "__main__":
    main()
