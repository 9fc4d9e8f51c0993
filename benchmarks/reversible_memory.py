"""Claim: training memory of a reversible chain does not grow with depth, at at most 1.35 times the time.

Setting: batch 16 x 32 x 32 x 32, float32, blocks of two couplings whose networks are
conv 3x3 (16 -> 48), ReLU, conv 3x3 (48 -> 16 or 32); loss is the mean square of the latent minus the mean
log_det. Peak memory is the allocator's, input, parameters and their gradients included; every depth runs in
a process of its own. Time is process time of a training step (forward and backward), medians of interleaved
rounds, one thread.

    python benchmarks/reversible_memory.py [--depths 4 16 64] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from pathlib import Path

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from preimage import Chain
from preimage.layers import AdditiveMap, AffineMap, Coupling, ElementMap, SlicePartition

RESULTS = Path(__file__).parent / "results" / "reversible_memory.json"
MEMORIES = ("autograd", "reversible")
MAPS: dict[str, type[ElementMap]] = {"additive": AdditiveMap, "affine": AffineMap}


def network(outputs: int) -> nn.Module:
    """A network whose outputs start at a tenth of their default size, as those of a net in training."""
    last = nn.Conv2d(48, outputs, 3, padding=1)
    with torch.no_grad():
        last.weight.mul_(0.1)
    return nn.Sequential(nn.Conv2d(16, 48, 3, padding=1), nn.ReLU(inplace=True), last)


def chain(depth: int, memory: str, element_map: type[ElementMap] = AdditiveMap) -> Chain:
    torch.manual_seed(0)
    outputs = 16 * element_map().count
    layers = [
        Coupling(SlicePartition(32, first=first), network(outputs), element_map())
        for _ in range(depth)
        for first in (True, False)
    ]
    return Chain(*layers, memory=memory)


def step(model: Chain, x: torch.Tensor) -> None:
    for parameter in model.parameters():
        parameter.grad = None
    z, log_det = model.forward_and_log_det(x)
    (z.square().mean() - log_det.mean()).backward()


def batch() -> torch.Tensor:
    return torch.randn(16, 32, 32, 32, generator=torch.Generator().manual_seed(1))


def resident_peak(*, reset: bool = False) -> int:
    """Peak resident memory in kB since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def measure(depth: int, memory: str, name: str, queue: multiprocessing.Queue) -> None:
    torch.set_num_threads(1)
    step(chain(1, memory), batch()[:1])
    before = resident_peak(reset=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        model, x = chain(depth, memory, MAPS[name]), batch()
        step(model, x)
    total = peak = 0
    results = profiler.profiler.kineto_results
    for event in results.events():
        if event.name() == "[memory]":
            total += event.nbytes()
            peak = max(peak, total)
    growth = resident_peak() - before
    queue.put({"peak_mb": peak / 2**20, "rss_growth_mb": growth / 2**10})


def isolated(depth: int, memory: str, name: str) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measure, args=(depth, memory, name, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{memory} at depth {depth} failed, see above")
    return queue.get()


def times(depth: int, rounds: int, name: str) -> dict[str, object]:
    models, x = {memory: chain(depth, memory, MAPS[name]) for memory in MEMORIES}, batch()
    seconds: dict[str, list[float]] = {memory: [] for memory in MEMORIES}
    for _ in range(rounds + 1):
        for memory, model in models.items():
            start = time.process_time()
            step(model, x)
            seconds[memory].append(time.process_time() - start)
    ratios = [r / a for a, r in zip(seconds["autograd"][1:], seconds["reversible"][1:], strict=True)]
    return {
        "seconds": {memory: statistics.median(values[1:]) for memory, values in seconds.items()},
        "ratio": statistics.median(ratios),
        "ratio_min_max": [min(ratios), max(ratios)],
    }


def gradient_error(depth: int, name: str) -> float:
    """Largest relative difference of a parameter's gradient from that of autograd in float64."""
    x = batch()[:2, :, :8, :8]
    exact, actual = chain(depth, "autograd", MAPS[name]).double(), chain(depth, "reversible", MAPS[name])
    step(exact, x.double())
    step(actual, x)
    pairs = zip(exact.parameters(), actual.parameters(), strict=True)
    return max(((b.grad - a.grad).norm() / a.grad.norm()).item() for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depths", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    report: dict[str, object] = {"torch": torch.__version__, "threads": 1, "batch": [16, 32, 32, 32]}
    for name in ("additive", "affine"):
        rows = []
        for depth in options.depths:
            size = sum(parameter.numel() for parameter in chain(depth, "autograd", MAPS[name]).parameters())
            row: dict[str, object] = {"depth": depth, "parameters_mb": 4 * size / 2**20}
            row |= {memory: isolated(depth, memory, name) for memory in MEMORIES}
            row["gradient_error_float32"] = gradient_error(depth, name)
            if depth <= 16:
                row["time"] = times(depth, options.rounds, name)
            print(name, json.dumps(row))
            rows.append(row)
        report[name] = rows
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
