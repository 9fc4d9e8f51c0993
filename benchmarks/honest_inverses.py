"""Claim: an inverse never says *exact* when a dense float64 check disagrees.

    python benchmarks/honest_inverses.py                  # 1,000 networks, writes results/honest_inverses.json
    python benchmarks/honest_inverses.py --networks 50

Random small networks of one to five layers, odd sizes, all kinds of operations: linear layers and convolutions of
every padding, stride and group count, transposed convolutions, norms, activations that saturate, turn or rise,
pools, reshapes, residual blocks, gates, splits and joins. Half of them run in float32. What is asked of each:

* a plan that promises *exact* or *left* must return the input, unless its certificate says that it did not;
* an outcome whose every number is called certain, with a converged certificate, must be the input;
* the residual of the certificate must be that of a second forward pass in float64.

The input counts as returned when its relative error is below 1 % in float32 and 1e-5 in float64, or below 100
roundings times the condition number of the network's dense float64 Jacobian at the input, where that leaves any
digit. A network that raises
anything but the library's own exceptions counts as a crash.
"""

import argparse
import collections
import copy
import json
import time
import warnings
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn

import preimage as pi
from preimage.errors import PreimageError
from preimage.inverse import Guarantee
from preimage.inverse.solvers.nonlinear.dense_newton import jacobian_matrix

RESULT = Path(__file__).parent / "results" / "honest_inverses.json"
ROWS, LARGEST = 2, 200


class Residual(nn.Module):
    """x + g(x), or relu of it."""

    def __init__(self, body: nn.Module, *, clipped: bool) -> None:
        super().__init__()
        self.body, self.clipped = body, clipped

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.body(x)
        return y.relu() if self.clipped else y


class Gate(nn.Module):
    """x times a function of its channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.excite = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        axes = tuple(range(2, x.dim()))
        mean = x.mean(axes) if axes else x
        return x * self.excite(mean).sigmoid().view(*x.shape[:2], *[1] * len(axes))


class Swap(nn.Module):
    """Halves of the channels, the second scaled by the first."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x[:, :1], x[:, 1:]
        return torch.cat([b * a.tanh().exp(), a], 1)


ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.LeakyReLU, nn.ELU, nn.SELU, nn.Softplus, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.GELU,
    nn.Mish, nn.Hardswish, nn.Softsign, nn.PReLU,
)  # fmt: skip


def mixing(random: Random, shape: tuple[int, ...]) -> nn.Module:
    """A linear layer or convolution that fits the event shape."""
    channels, *size = shape
    if not size:
        return nn.Linear(channels, random.randint(1, 2 * channels + 3))
    kernel, stride = random.randint(1, 3), random.randint(1, 2)
    dimensions = len(size)
    groups = random.choice([g for g in (1, channels) if channels % g == 0])
    out = groups * random.randint(1, 4 if groups == 1 else 2)
    if random.random() < 0.2:
        made = (nn.ConvTranspose1d, nn.ConvTranspose2d)[dimensions - 1]
        return made(channels, out, kernel, stride, groups=groups)
    mode = random.choice(["zeros", "circular", "reflect", "replicate"])
    padding = random.randint(0, min(kernel // 2, *(s - 1 for s in size)))
    made = (nn.Conv1d, nn.Conv2d)[dimensions - 1]
    return made(channels, out, min(kernel, *size), stride, padding, groups=groups, padding_mode=mode)


def other(random: Random, shape: tuple[int, ...]) -> nn.Module:
    """A norm, activation, pool, block, gate or rearrangement that fits the event shape."""
    channels, *size = shape
    choices: list[nn.Module] = [random.choice(ACTIVATIONS)(), random.choice(ACTIVATIONS)(), Gate(channels)]
    choices.append((nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d)[len(size)](channels))
    choices.append(nn.LayerNorm(shape))
    if channels > 1:
        choices.append(Swap())
    if not size:
        body = nn.Sequential(nn.Linear(channels, 4), nn.Tanh(), nn.Linear(4, channels))
        choices.append(Residual(body, clipped=random.random() < 0.3))
    else:
        convolution = (nn.Conv1d, nn.Conv2d)[len(size) - 1]
        body = nn.Sequential(convolution(channels, channels, 3, padding=1), nn.ReLU())
        choices += [Residual(body, clipped=random.random() < 0.3), nn.Flatten()]
        if min(size) > 1:
            pools = ((nn.MaxPool1d, nn.AvgPool1d), (nn.MaxPool2d, nn.AvgPool2d))[len(size) - 1]
            choices.append(random.choice(pools)(2))
    return random.choice(choices)


def random_network(seed: int) -> tuple[nn.Sequential, tuple[int, ...]]:
    """A network and the event shape that it takes; the same for the same seed."""
    random = Random(seed)
    torch.manual_seed(seed)
    shapes = [(random.randint(2, 9),), (random.randint(1, 3), random.randint(3, 9))]
    shapes.append((random.randint(1, 3), random.randint(3, 6), random.randint(3, 6)))
    shape = first = random.choice(shapes)
    layers: list[nn.Module] = []
    for depth in range(random.randint(1, 5)):
        layer = mixing(random, shape) if depth % 2 == 0 or random.random() < 0.3 else other(random, shape)
        value = layer.eval()(torch.zeros(1, *shape))
        if value[0].numel() > LARGEST or value.numel() == 0:
            continue
        layers.append(layer)
        shape = tuple(value.shape[1:])
    network = nn.Sequential(*(layers or [nn.Identity()])).eval()
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.2, 1.5)
    return network, first


def truth(network: nn.Module, x: Tensor) -> tuple[Tensor, float]:
    """Singular values and condition number of the dense float64 Jacobian at the first sample."""
    jacobian = jacobian_matrix(network, x[:1])
    if jacobian.shape[0] < jacobian.shape[1]:
        return torch.zeros(1), float("inf")
    values = torch.linalg.svdvals(jacobian)
    return values, (values[0] / values[-1].clamp_min(1e-300)).item()


def judge(seed: int) -> collections.Counter[str]:
    """What the inverse of one network claims, and whether it is so."""
    network, shape = random_network(seed)
    dtype = torch.float32 if seed % 2 else torch.float64
    wide = copy.deepcopy(network).double()
    network = network.to(dtype)
    x = torch.randn(ROWS, *shape, dtype=dtype)
    with torch.no_grad():
        y = network(x)
    inverse = pi.invert(network, x)
    outcome = inverse.run_plan(y)
    answer, certificate = inverse.data_free(y)
    promise = inverse.plan().guarantee
    condition = truth(wide, x.double())[1]
    rounding = 100 * torch.finfo(dtype).eps * condition
    slack = max(1e-2 if dtype == torch.float32 else 1e-5, rounding if rounding < 1 else 0.0)
    right = (answer - x).flatten(1).norm(dim=1) <= slack * x.flatten(1).norm(dim=1)
    missed = (wide(answer.double()) - y.double()).flatten(1).norm(dim=1)
    size = y.double().flatten(1).norm(dim=1)
    again = torch.where(missed == 0, 0.0, missed / size)  # also where a saturated network answers all zeros
    honest = (again - certificate.residual).abs() <= 1e-4 + 1e-2 * again
    sure = outcome.exact == 1.0 and outcome.certificate is not None and outcome.certificate.ok
    promised = promise in (Guarantee.EXACT, Guarantee.LEFT)
    return collections.Counter(
        {
            "networks": 1,
            f"promise: {promise.value}": 1,
            "input returned": int(right.all()),
            "called exact or left": int(promised),
            "called exact or left, certificate converged, input not returned": int(
                (promised & certificate.converged & ~right).any()
            ),
            "every number called certain": int(sure),
            "every number called certain, input not returned": int(sure and not bool(right.all())),
            "residual differs from a second forward pass": int((~honest).any()),
        }
    )


SILENT = (
    "called exact or left, certificate converged, input not returned",
    "every number called certain, input not returned",
    "residual differs from a second forward pass",
)


def run(networks: int) -> dict[str, object]:
    counts: collections.Counter[str] = collections.Counter()
    crashed, refused, wrong = [], [], []
    for seed in range(networks):
        try:
            found = judge(seed)
        except PreimageError as error:
            refused.append(f"network {seed}: {type(error).__name__}: {error}"[:200])
            continue
        except Exception as error:  # what it is gets reported
            crashed.append(f"network {seed}: {type(error).__name__}: {error}"[:200])
            continue
        counts.update(found)
        wrong += [f"network {seed}: {name}" for name in SILENT if found[name]]
    return {"networks": networks, "counts": dict(sorted(counts.items())), "wrong": wrong} | {
        "refused": refused,
        "crashed": crashed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=1000)
    networks = parser.parse_args().networks
    torch.set_num_threads(1)
    begun = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = run(networks)
    report |= {"command": f"python benchmarks/honest_inverses.py --networks {networks}"}
    report |= {"torch": torch.__version__, "process_seconds": round(time.process_time() - begun, 1)}
    print(json.dumps(report, indent=1))
    if networks >= 200:
        RESULT.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
