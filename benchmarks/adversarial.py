"""Claim: critics in data and in latents train a flow without diverging; beside the likelihood they cost little.

Setting: four distributions with a known density (known_densities.py), 10,000 rows to train on, 4,000 to judge;
flows.nsf_coupling with 3 transforms, the same start, number of steps of 128 rows and learning rate for every
loss, moving average of the weights. Judged from both sides: the divergence of data from the flow, which is the
negative log-likelihood minus the true entropy, with its standard error; the share of samples that lie where
data are rarer than 99 % of the data; the share of data that lie where the flow is rarer than for 99 % of its
samples (both 1 % for an exact flow); and the divergence of encoded data from the base by nearest neighbours.

    python benchmarks/adversarial.py [--steps 400] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from known_densities import KNOWN, Known
from preimage import flows
from preimage.flows import Flow, check_latents, neighbour_divergence
from preimage.flows.adversarial import FlatCritic, fit_both_ways
from preimage.training import FitSettings, fit

RESULTS = Path(__file__).parent / "results" / "adversarial.json"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "adversarial.png"
Train = Callable[[Flow, Tensor, dict[str, Any]], object]


def critics(**weights: float) -> Train:
    def train(flow: Flow, x: Tensor, settings: dict[str, Any]) -> object:
        nets = {name: FlatCritic(x.shape[1], (64, 64)) for name in ("critic", "latent_critic")}
        return fit_both_ways(flow, x, **nets, **weights, **settings)

    return train


def by_neighbours(flow: Flow, x: Tensor, settings: dict[str, Any]) -> object:
    """Encoded data against fresh draws of the base, by their nearest neighbours."""

    def losses(model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        return neighbour_divergence(model(batch[0]), flow.base.draw(len(batch[0])))

    return fit(flow.bijection, losses, x, FitSettings(**settings))


LOSSES: dict[str, Train] = {
    "likelihood": lambda flow, x, settings: flow.fit(x, **settings),
    "divergence of latents": by_neighbours,
    "critic of data": critics(likelihood=0.0, latent_weight=0.0),
    "critic of latents": critics(likelihood=0.0, data_weight=0.0),
    "both critics": critics(likelihood=0.0),
    "both critics, likelihood": critics(likelihood=1.0),
}


def share_beyond(judged: Tensor, reference: Tensor) -> float:
    """The share of log-densities below the 1 % quantile of others."""
    return (judged < reference.quantile(0.01)).double().mean().item()


@torch.no_grad()
def judged(flow: Flow, known: Known, seed: int) -> dict[str, Any]:
    flow.eval()
    generator = torch.Generator().manual_seed(1000 + seed)
    x = known.draw(4000, generator)
    samples, log_q_samples = flow.sample_and_log_prob(4000, generator=generator)
    log_p, log_q = known.log_prob(x), flow.log_prob(x.float()).double()
    check = check_latents(flow, x[:2000].float(), generator=generator)
    return {
        "nll": -log_q.mean().item(),
        "entropy": -log_p.mean().item(),
        "divergence": (log_p - log_q).mean().item(),
        "divergence error": ((log_p - log_q).std() / math.sqrt(len(x))).item(),
        "samples where data are rare": share_beyond(known.log_prob(samples.double()), log_p),
        "data where samples are rare": share_beyond(log_q, log_q_samples.double()),
        "divergence of latents": check.neighbours,
        "samples": samples[:1000].tolist(),
    }


def trained(name: str, known: Known, steps: int, seed: int) -> dict[str, Any]:
    x = known.draw(10_000, torch.Generator().manual_seed(seed)).float()
    torch.manual_seed(seed)
    flow = flows.nsf_coupling(known.features, transforms=3, hidden_features=(32, 32))
    settings = {
        "epochs": 10_000,
        "steps": steps,
        "batch_size": 128,
        "learning_rate": 3e-3,
        "average": 0.99,
        "hold_out": 0.0,
        "patience": 0,
        "seed": seed,
        "progress": False,
    }
    started = time.process_time()
    LOSSES[name](flow, x, settings)
    seconds = time.process_time() - started
    last = flow.history[-1] if len(flow.history) else {}
    told = {key: last[key] for key in ("data_told_apart", "latent_told_apart", "rollbacks") if key in last}
    return judged(flow, known, seed) | {"seconds": seconds} | told


def draw_sheet(samples: dict[str, dict[str, list[list[float]]]], data: dict[str, Tensor]) -> None:
    import matplotlib.pyplot as plt

    heads = ["data", *LOSSES]
    figure, grid = plt.subplots(len(data), len(heads), figsize=(2.2 * len(heads), 2.2 * len(data)))
    for row, (name, x) in zip(grid, data.items(), strict=True):
        columns = (0, 1) if x.shape[1] == 2 else (0, 2)
        low, high = x[:, columns].quantile(0.001, dim=0), x[:, columns].quantile(0.999, dim=0)
        for axes, head in zip(row, heads, strict=True):
            points = x if head == "data" else torch.tensor(samples[name][head])
            axes.scatter(*points[:1000, columns].T, s=2, color="#0072b2", linewidths=0)
            axes.set(xticks=[], yticks=[])
            for low_high, setter in zip(
                zip(low, high, strict=True), (axes.set_xlim, axes.set_ylim), strict=True
            ):
                middle, half = sum(low_high) / 2, (low_high[1] - low_high[0]) * 0.65
                setter((middle - half).item(), (middle + half).item())
        row[0].set_ylabel(name.replace(", 3-d", ""))
    for axes, head in zip(grid[0], heads, strict=True):
        axes.set_title(head, fontsize=10)
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table: dict[str, dict[str, Any]] = {}
    samples: dict[str, dict[str, Any]] = {}
    for name, known in KNOWN.items():
        table[name], samples[name] = {}, {}
        for loss in LOSSES:
            row = trained(loss, known, options.steps, options.seed)
            samples[name][loss] = row.pop("samples")
            table[name][loss] = row
            print(name, loss, {key: round(value, 3) for key, value in row.items()}, flush=True)
        report = {"torch": torch.__version__, "steps": options.steps, "seed": options.seed, "table": table}
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    data = {name: known.draw(4000, torch.Generator().manual_seed(77)) for name, known in KNOWN.items()}
    draw_sheet(samples, data)


if __name__ == "__main__":
    main()
