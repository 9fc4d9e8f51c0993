"""Claim: a Jet runs backwards as fast as forwards, and trains in memory that does not grow with its depth.

Setting: Jet on 3 x 32 x 32 pictures in patches of 4 x 4 (64 tokens of 48 channels), 16 couplings of width 128,
one block and 4 heads each; batch 16, float32, one thread. Weights moved a little from their start. Times are
process time, medians of interleaved rounds; the loss of a training step is the mean square of the latent minus
the mean log_det. Peak memory of a training step is the allocator's, parameters and gradients included; every
one runs in a process of its own.

    python benchmarks/transformer_coupling.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from preimage import Chain
from preimage.layers import jet

RESULTS = Path(__file__).parent / "results" / "transformer_coupling.json"
MEMORIES = ("autograd", "reversible")
SHAPE, BATCH = (3, 32, 32), 16


def flow(memory: str, couplings: int = 16) -> Chain:
    torch.manual_seed(0)
    made = jet(SHAPE, patch=4, couplings=couplings, width=128, depth=1, heads=4, memory=memory)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return made


def batch() -> Tensor:
    return torch.randn(BATCH, *SHAPE, generator=torch.Generator().manual_seed(1))


def step(model: Chain, x: Tensor) -> None:
    for parameter in model.parameters():
        parameter.grad = None
    z, log_det = model.forward_and_log_det(x)
    (z.square().mean() - log_det.mean()).backward()


def measure(memory: str, couplings: int, queue: multiprocessing.Queue) -> None:
    torch.set_num_threads(1)
    step(flow(memory, 1), batch()[:1])
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        model, x = flow(memory, couplings), batch()
        step(model, x)
    total = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            total += event.nbytes()
            peak = max(peak, total)
    queue.put(peak / 2**20)


def peak_mb(memory: str, couplings: int) -> float:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measure, args=(memory, couplings, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{memory} with {couplings} couplings failed, see above")
    return queue.get()


def seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def times(rounds: int) -> dict[str, float]:
    models, x = {memory: flow(memory) for memory in MEMORIES}, batch()
    plain = models["autograd"]
    found: dict[str, list[float]] = {name: [] for name in ("forward", "inverse", *MEMORIES)}
    with torch.no_grad():
        y = plain(x)
    for _ in range(rounds + 1):
        with torch.no_grad():
            found["forward"].append(seconds(lambda: plain(x)))
            found["inverse"].append(seconds(lambda: plain.inverse(y)))
        for memory, model in models.items():
            found[memory].append(seconds(lambda model=model: step(model, x)))
    median = {name: statistics.median(values[1:]) for name, values in found.items()}
    return {
        "forward_seconds": median["forward"],
        "inverse / forward": median["inverse"] / median["forward"],
        "reversible step / autograd step": median["reversible"] / median["autograd"],
    }


def gradient_error() -> float:
    """Largest relative difference of a parameter's gradient from that of autograd in float64."""
    x = batch()[:2]
    exact, actual = flow("autograd").double(), flow("reversible")
    step(exact, x.double())
    step(actual, x)
    pairs = [(a.grad, b.grad) for a, b in zip(exact.parameters(), actual.parameters(), strict=True)]
    return max(((b - a).norm() / a.norm()).item() for a, b in pairs if a is not None and b is not None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    report = {"torch": torch.__version__, **times(options.rounds), "gradient_error_float32": gradient_error()}
    report["peak_mb"] = {
        str(couplings): {memory: peak_mb(memory, couplings) for memory in MEMORIES}
        for couplings in (4, 16, 32)
    }
    size = sum(parameter.numel() for parameter in flow("autograd").parameters())
    report["parameters_mb"] = 4 * size / 2**20
    print(json.dumps(report, indent=1))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
