"""Claim: every preset over the plane is a density that its samples follow, and trains at depth 64 from its start.

Setting: small presets in float64, with random weights and after some epochs on two moons. The integral of
exp(log_prob) is the sum over a grid that holds all mass of a large sample with room around it. Samples are
compared with draws from the density on the grid by the energy distance, with 200 permutations. Linear flows are
compared with the multivariate normal that they are.

    python benchmarks/flow_presets.py          # writes results/flow_presets.json
    python benchmarks/flow_presets.py --deep   # writes results/flow_depth.json, with the other libraries
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from flow_data import moons
from flow_peers.contender import build, parameters
from preimage import flows
from preimage.flows import Flow, Normal
from preimage.layers import LULinear, QRLinear, WhiteningNorm

RESULTS = Path(__file__).parent / "results"
SMALL: dict[str, Any] = {"hidden_features": (16,)}
PRESETS: dict[str, Callable[[], Flow]] = {
    "nice": lambda: flows.nice(2, transforms=3, **SMALL),
    "realnvp": lambda: flows.realnvp(2, transforms=3, **SMALL),
    "glow": lambda: flows.glow(2, steps=3, **SMALL),
    "maf": lambda: flows.maf(2, transforms=2, **SMALL),
    "iaf": lambda: flows.iaf(2, transforms=2, **SMALL),
    "nsf": lambda: flows.nsf(2, transforms=2, **SMALL),
    "nsf_coupling": lambda: flows.nsf_coupling(2, transforms=2, **SMALL),
    "naf": lambda: flows.naf(2, transforms=1, units=(4,), **SMALL),
    "umnn": lambda: flows.umnn(2, transforms=1, signal=3, **SMALL),
    "residual_flow": lambda: flows.residual_flow(2, transforms=2, **SMALL),
    "planar": lambda: flows.planar(2, transforms=3),
    "radial": lambda: flows.radial(2, transforms=3),
    "sylvester": lambda: flows.sylvester(2, transforms=2),
    "ffjord": lambda: flows.ffjord(2, **SMALL),
}
FINE = {"nsf": 1201, "nsf_coupling": 1201}
"""Points along a side where random splines of rectified networks have edges."""
COSTLY = {"naf": 401, "umnn": 141, "residual_flow": 141, "ffjord": 141}
"""Points along a side of the grid, where each takes a root search or an equation."""
ROWS, PERMUTATIONS = 500, 200


def random_weights(flow: Flow) -> Flow:
    """The flow in float64, away from the start at the identity."""
    flow = flow.double().eval()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return flow


def trained(flow: Flow, epochs: int) -> Flow:
    """After some epochs on two moons."""
    rows = torch.from_numpy(moons(1000, np.random.RandomState(0)))
    flow.double().fit(rows, epochs=epochs, learning_rate=5e-3, progress=False, patience=0)
    return flow.eval()


def grid_density(flow: Flow, drawn: Tensor, points: int) -> tuple[Tensor, Tensor, Tensor]:
    """Places of a grid around a sample ``(M, 2)``, the density there ``(M,)``, and the size of a cell ``(2,)``."""
    low, high = drawn.amin(0), drawn.amax(0)
    room = 0.6 * (high - low)
    sides = [
        torch.linspace(a, b, points, dtype=torch.float64)
        for a, b in zip(low - room, high + room, strict=True)
    ]
    places = torch.cartesian_prod(*sides)
    with torch.no_grad():
        density = torch.cat([flow.log_prob(part).exp() for part in places.split(100_000)])
    return places, density, torch.stack([side[1] - side[0] for side in sides])


def energy_p_value(first: Tensor, second: Tensor) -> float:
    """Of the hypothesis that both samples have one distribution, by permutations of the energy distance.

    Reference: Székely, Rizzo (2013), https://doi.org/10.1016/j.jspi.2013.03.018
    """
    both = torch.cat([first, second])
    distances = torch.cdist(both, both)
    generator = torch.Generator().manual_seed(0)

    def statistic(order: Tensor) -> Tensor:
        left, right = order[: len(first)], order[len(first) :]
        within = distances[left][:, left].mean() + distances[right][:, right].mean()
        return 2 * distances[left][:, right].mean() - within

    observed = statistic(torch.arange(len(both)))
    shuffled = [statistic(torch.randperm(len(both), generator=generator)) for _ in range(PERMUTATIONS)]
    return (1 + sum(bool(value >= observed) for value in shuffled)) / (1 + PERMUTATIONS)


def check(flow: Flow, points: int) -> dict[str, float]:
    """Integral and two-sample test of one flow."""
    generator = torch.Generator().manual_seed(1)
    drawn = flow.sample(4000, generator=generator)
    places, density, cell = grid_density(flow, drawn, points)
    chosen = torch.multinomial(density, ROWS, replacement=True, generator=generator)
    jitter = (torch.rand(ROWS, 2, generator=generator, dtype=torch.float64) - 0.5) * cell
    return {
        "integral": (density.sum() * cell.prod()).item(),
        "p-value": energy_p_value(drawn[:ROWS], places[chosen] + jitter),
    }


def normals() -> dict[str, float]:
    """Linear flows against the multivariate normal: largest difference of log_prob, and of a sample's covariance."""
    torch.manual_seed(0)
    features, worst, scores = 5, 0.0, []
    matrix = torch.randn(features, features, dtype=torch.float64)
    for layer in (LULinear.from_matrix(matrix), QRLinear.from_matrix(matrix), _whitening(matrix)):
        flow = Flow(layer, Normal(features)).double().eval()
        inverse = torch.linalg.inv(layer.matrix.detach())
        mean = flow.decode(torch.zeros(1, features, dtype=torch.float64))[0].detach()
        exact = torch.distributions.MultivariateNormal(mean, inverse @ inverse.mT)
        x = 3 * torch.randn(1000, features, dtype=torch.float64)
        with torch.no_grad():
            worst = max(worst, (flow.log_prob(x) - exact.log_prob(x)).abs().max().item())
        covariance, count = torch.cov(flow.sample(100_000).mT), 100_000
        variance = exact.variance[:, None] * exact.variance + exact.covariance_matrix.square()
        scores.append(((covariance - exact.covariance_matrix) / (variance / count).sqrt()).abs().max().item())
    return {"log_prob": worst, "covariance z": max(scores)}


def _whitening(matrix: Tensor) -> WhiteningNorm:
    layer = WhiteningNorm(len(matrix)).double()
    layer.initialise(torch.randn(500, len(matrix), dtype=torch.float64) @ matrix + 2)
    return layer


def densities(quick: bool) -> None:
    found: dict[str, Any] = {}
    for name, make in PRESETS.items():
        points, epochs = ((COSTLY | FINE).get(name, 601), 2 if name in COSTLY else 20)
        points, epochs = (141, 1) if quick else (points, epochs)
        torch.manual_seed(0)
        row = {"untrained": check(random_weights(make()), points)}
        row["trained"] = check(trained(make(), epochs), points)
        found[name] = row
        print(name, row, flush=True)
    write("flow_presets", {"presets": found, "normal": normals(), "rows": ROWS}, quick)


DEEP = {
    "preimage": ("nice", "realnvp", "glow", "maf", "nsf_coupling", "nsf"),
    "zuko": ("MAF", "NSF"),
    "nflows": ("MAF", "RQ-NSF (AR)"),
    "normflows": ("MAF", "NSF, autoregressive"),
    "freia": ("AllInOneBlock",),
    "torchflows": ("MAF", "MaskedAutoregressiveRQNSF"),
}
LOST = 20  # steps that are not finite after which the rest is counted as such
DEPTH = 64


def deep_flow(library: str, family: str) -> nn.Module:
    """Sixty-four layers over two features, from the default start."""
    if library == "preimage":
        more = {"steps": DEPTH} if family == "glow" else {"transforms": DEPTH}
        return flows.PRESETS[family](2, **more, hidden_features=(16, 16))
    families = importlib.import_module(f"flow_peers.with_{library}").FAMILIES
    return build(families[family], (2,), DEPTH, 16)


def losses(flow: nn.Module, steps: int) -> list[float]:
    """Training losses on data of very different scales; a library's own error counts as not finite."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(4096, 2, generator=generator) * torch.tensor([1.0, 30.0]) + 5
    optimiser = torch.optim.Adam(flow.parameters(), 1e-3)
    found: list[float] = []
    for _ in range(steps):
        if len(found) >= LOST and not any(math.isfinite(value) for value in found[-LOST:]):
            return found + [math.nan] * (steps - len(found))
        optimiser.zero_grad()
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        try:
            loss = -flow(batch).mean()
            loss.backward()
        except (RuntimeError, AssertionError, ValueError):
            found.append(math.nan)
            continue
        nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optimiser.step()
        found.append(loss.item())
    return found


def deep(quick: bool) -> None:
    steps = 5 if quick else 200
    rows = []
    for library, names in DEEP.items():
        for family in names:
            torch.manual_seed(0)
            flow = deep_flow(library, family)
            found = losses(flow, steps)
            finite = [value for value in found if math.isfinite(value)]
            first, last = (value if math.isfinite(value) else None for value in (found[0], found[-1]))
            row = {"library": library, "family": family, "finite": len(finite), "first": first, "last": last}
            rows.append(row | {"parameters": parameters(flow)})
            print(rows[-1], flush=True)
            write("flow_depth", {"steps": steps, "depth": DEPTH, "rows": rows}, quick)


def write(name: str, content: dict[str, Any], quick: bool) -> None:
    """Keep a full run; a quick one is only shown."""
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps({"torch": torch.__version__} | content, indent=1)
        (RESULTS / f"{name}.json").write_text(text + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--deep", action="store_true", help="chains of 64 layers, with the other libraries")
    parser.add_argument("--quick", action="store_true", help="coarse, and nothing is written")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="torchflows|normflows|nflows|FrEIA")
    (deep if options.deep else densities)(options.quick)


if __name__ == "__main__":
    main()
