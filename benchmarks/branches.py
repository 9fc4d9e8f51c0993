"""Which of the two preimages of a SiLU or GELU is the right one? Three ways to choose, on a trained network.

    python benchmarks/branches.py   # writes results/branches.json

A perceptron (64 to 160 units, batch norm, activation, 10 classes) is trained on the digits of scikit-learn. On
test pictures every hidden output below zero has two preimages. Counted is the share for which the right one is
taken: always the rising branch, the more probable one under the statistics of the batch norm, or the one that is
consistent with the linear layer before it. Outputs whose two preimages differ by less than 0.01 are left out.
"""

import json
import time
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import preimage as pi
from preimage.inverse import linear as li
from preimage.inverse.planning.turning_points import turning_point
from preimage.inverse.solvers.saturated.branches import BranchedInverse

RESULT = Path(__file__).parent / "results" / "branches.json"
UNITS, EPOCHS, TESTED = 160, 30, 200


def trained(activation: type[nn.Module]) -> tuple[nn.Sequential, Tensor, float]:
    """The network, test pictures, and its accuracy on them."""
    torch.manual_seed(0)
    data = load_digits()
    x, labels = torch.tensor(data.images).float().flatten(1) / 16, torch.tensor(data.target)
    network = nn.Sequential(nn.Linear(64, UNITS), nn.BatchNorm1d(UNITS), activation(), nn.Linear(UNITS, 10))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(1500).split(100):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), labels[rows]).backward()
            optimiser.step()
    network = network.double().eval()
    tested = x[1500 : 1500 + TESTED].double()
    accuracy = (network(tested).argmax(1) == labels[1500 : 1500 + TESTED]).double().mean().item()
    return network, tested, accuracy


def measure(activation: type[nn.Module]) -> dict[str, object]:
    network, x, accuracy = trained(activation)
    network.requires_grad_(requires_grad=False)
    linear, norm = network[0], network[1]
    z = norm(linear(x))
    hidden = nn.Sequential(*network[:3])
    y = hidden(x)
    point = turning_point(pi.invert(network[2], z).graph.nodes[-1])
    upper, lower = point.upper(y), point.lower(y)
    doubtful = (y < 0) & (upper - lower > 0.01)
    truth = z < point.turn
    affine = li.AffineComposition(
        [
            li.AffineMap(li.Dense(linear.weight), linear.bias),
            li.BatchNorm((UNITS,), norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps),
        ]
    )
    begun = time.process_time()
    found = BranchedInverse(affine, point)(y)
    seconds = time.process_time() - begun
    mean, spread = norm.bias, norm.weight.abs()

    def log_density(value: Tensor) -> Tensor:
        return -((value - mean) / spread).square() / 2 - point.slope(value).abs().clamp_min(1e-12).log()

    chosen = {
        "always the rising branch": torch.zeros_like(truth),
        "more probable under batch norm": log_density(lower) > log_density(upper),
        "consistent with the layer before": (found.z - lower).abs() < (found.z - upper).abs(),
    }
    error = (found.x - x).norm(dim=1) / x.norm(dim=1)
    return {
        "accuracy": accuracy,
        "doubtful_share": doubtful.double().mean().item(),
        "right": {name: (low == truth)[doubtful].double().mean().item() for name, low in chosen.items()},
        "pictures_certified": found.exact.double().mean().item(),
        "pictures_recovered": (error < 1e-6).double().mean().item(),
        "certified_but_wrong": int((found.exact & (error > 1e-5)).sum()),
        "cpu_seconds": round(seconds, 3),
    }


def main() -> None:
    torch.set_num_threads(1)
    cells = {kind.__name__: measure(kind) for kind in (nn.SiLU, nn.GELU, nn.Mish, nn.Hardswish)}
    result = {"command": "python benchmarks/branches.py", "torch": torch.__version__, "activations": cells}
    print(json.dumps(result, indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
