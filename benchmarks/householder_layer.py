"""Claim: training a Householder layer costs at most 3.5 times a dense matrix product, in at most 25 MB.

Setting: 512 features, 512 reflections, batch 512, float32, one thread. A step is the forward pass and the
gradients by input and parameters for a given gradient of the output. Contenders: one dense product with a
free matrix (the yardstick), this library's layer in both directions, one reflection after the other with
autograd, and PyTorch's own Householder parametrisation. Times are process times, ratios are taken inside a
round of the same run and summarised by their median. Memory is what the allocator hands out during a step at
most, gradients included, input and parameters not. The error is that of the float64 layer against the
explicit product of reflections.

    python benchmarks/householder_layer.py [--features 512] [--batch 512] [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from preimage.layers import Orthogonal

RESULTS = Path(__file__).parent / "results" / "householder_layer.json"
Step = Callable[[], None]


class Sequential(nn.Module):
    """One reflection after the other."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(features, features))

    def forward(self, x: Tensor) -> Tensor:
        """Reflect along every vector in turn."""
        for v in self.vectors:
            x = x - torch.outer(x @ v, 2 * v / (v @ v))
        return x


def contenders(features: int) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    layer = Orthogonal(features, bias=False)
    parametrised = nn.utils.parametrizations.orthogonal(
        nn.Linear(features, features, bias=False), orthogonal_map="householder"
    )
    return {
        "dense product": nn.Linear(features, features, bias=False),
        "Orthogonal, forward": layer,
        "Orthogonal, inverse": layer.inv,
        "one reflection after the other": Sequential(features),
        "torch householder parametrisation": parametrised,
    }


def step(module: nn.Module, x: Tensor, gradient: Tensor) -> None:
    for parameter in module.parameters():
        parameter.grad = None
    x.grad = None
    module(x).backward(gradient)


def peak_megabytes(module: nn.Module, x: Tensor, gradient: Tensor) -> float:
    """Most memory that a step allocates beyond what lives before it."""
    module.zero_grad()
    x.grad = None
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step(module, x, gradient)
    total = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            total += event.nbytes()
            peak = max(peak, total)
    return peak / 2**20


def explicit_error(features: int) -> float:
    """Largest absolute difference from the product of explicit reflection matrices, float64."""
    torch.manual_seed(1)
    layer = Orthogonal(features, bias=False).double()
    product = torch.eye(features, dtype=torch.float64)
    with torch.no_grad():
        for v in layer.vectors:
            product -= torch.outer(product @ v, 2 * v / (v @ v))
        product *= layer.signs
        x = torch.randn(features, features, dtype=torch.float64)
        return (layer(x) - x @ product.mT).abs().max().item()


def measure(features: int, batch: int, rounds: int) -> dict[str, dict[str, float]]:
    modules = contenders(features)
    x = torch.randn(batch, features, requires_grad=True)
    gradient = torch.randn(batch, features)
    seconds: dict[str, list[float]] = {name: [] for name in modules}
    for _ in range(rounds + 1):
        for name, module in modules.items():
            start = time.process_time()
            step(module, x, gradient)
            seconds[name].append(time.process_time() - start)
    yardstick = seconds["dense product"][1:]
    table = {}
    for name, module in modules.items():
        ratios = [s / d for s, d in zip(seconds[name][1:], yardstick, strict=True)]
        table[name] = {
            "milliseconds": 1e3 * statistics.median(seconds[name][1:]),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
            "peak_mb": peak_megabytes(module, x, gradient),
        }
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = {
        "setting": vars(options) | {"torch": torch.__version__, "threads": 1, "dtype": "float32"},
        "contenders": measure(options.features, options.batch, options.rounds),
        "float64_error_against_explicit_product": explicit_error(options.features),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
