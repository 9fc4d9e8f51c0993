"""Claim: Glow trains on pictures, its bits per dimension are those of a bound, its memory is flat in depth.

Setting: 32 x 32 crops of packaged photographs in bytes, divided by source file into training (12 sources),
validation (3) and test (3, the demo pictures). flows.glow((3, 32, 32), levels=3, steps=8), uniform or learnt
dequantisation, the same number of steps of 32 crops, one thread; weights of the best validation loss. Reported
are bits per number of the test crops: with one draw of the noise, and with the importance-weighted bound of
several. Memory: peaks of a training step of 16 crops, of the allocator and of the process (VmHWM), for K = 2,
4, 8, 16 steps a level, each in a process of its own.

    python benchmarks/picture_flow.py [--steps 900] [--memory] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from picture_crops import crops
from preimage import flows
from preimage.flows import Flow
from reversible_memory import resident_peak

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "picture_flow.json"
WIDTHS = (96, 96)
DRAWS = (1, 4, 16)
NOISES = {"uniform": 0, "learnt": 3}  # steps of the flow of the noise


def glow(noise_steps: int, steps: int = 8, memory: str = "autograd") -> Flow:
    torch.manual_seed(0)
    return flows.glow(
        (3, 32, 32),
        levels=3,
        steps=steps,
        hidden_features=WIDTHS,
        grey_levels=256,
        noise_steps=noise_steps,
        memory=memory,
    )


@torch.no_grad()
def bounds(flow: Flow, x: Tensor) -> dict[int, list[float]]:
    """Bits per number and their standard error over the crops, by the number of draws."""
    flow.eval()
    torch.manual_seed(1)
    draws = torch.stack(
        [torch.cat([flow.log_prob(part) for part in x.split(64)]) for _ in range(max(DRAWS))]
    )  # (draws, N)
    found = {}
    for count in DRAWS:
        groups = draws.unflatten(0, (-1, count))  # (groups, count, N)
        log_prob = (groups.logsumexp(1) - math.log(count)).mean(0)
        bits = -log_prob / (math.log(2) * x[0].numel())
        found[count] = [bits.mean().item(), (bits.std() / math.sqrt(len(bits))).item()]
    return found


def trained(noise_steps: int, steps: int, data: dict[str, Tensor]) -> tuple[Flow, dict[str, Any]]:
    flow, started = glow(noise_steps), time.process_time()
    flow.fit(
        data["train"],
        validation=data["validation"],
        batch_size=32,
        epochs=10_000,
        steps=steps,
        learning_rate=1e-3,
        average=0.99,
        patience=0,
        progress=False,
        listeners=[lambda record: print(record, flush=True)],
    )
    return flow, {
        "minutes": (time.process_time() - started) / 60,
        "parameters": sum(parameter.numel() for parameter in flow.parameters()),
        "curve": {name: flow.history.column(name) for name in ("step", "loss", "validation_loss")},
        "test": bounds(flow, data["test"]),
    }


@torch.no_grad()
def drawn(flow: Flow, temperature: float, count: int) -> Tensor:
    return flow.tempered(temperature).sample(count, generator=torch.Generator().manual_seed(2))


def memory_step(steps: int, memory: str) -> None:
    flow = glow(0, steps, memory)
    x = torch.randint(256, (16, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    (-flow.log_prob(x).mean()).backward()


def allocated(steps: int, memory: str) -> float:
    """Peak of the allocator in MB."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        memory_step(steps, memory)
    total = peak = 0
    results: Any = profiler.profiler
    for event in results.kineto_results.events():
        if event.name() == "[memory]":
            total += event.nbytes()
            peak = max(peak, total)
    return peak / 2**20


def resident(steps: int, memory: str) -> float:
    """Growth of the peak of the process in MB."""
    before = resident_peak(reset=True)
    memory_step(steps, memory)
    return (resident_peak() - before) / 2**10


METERS = {"allocator": allocated, "process": resident}


def measure(meter: str, steps: int, memory: str, queue: multiprocessing.Queue) -> None:
    torch.set_num_threads(1)
    memory_step(1, memory)
    queue.put(METERS[meter](steps, memory))


def isolated(meter: str, steps: int, memory: str) -> float:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measure, args=(meter, steps, memory, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{memory} with {steps} steps failed, see above")
    return queue.get()


def memory_table() -> dict[str, Any]:
    """Megabytes by steps a level: of the parameters and their gradients, and peaks."""
    table = {}
    for steps in (2, 4, 8, 16):
        table[str(steps)] = row = {
            "parameters": 8 * sum(p.numel() for p in glow(0, steps).parameters()) / 2**20
        }
        for memory in ("autograd", "reversible"):
            row |= {f"{memory}, {meter}": isolated(meter, steps, memory) for meter in METERS}
    return table


def save(report: dict[str, Any]) -> None:
    """Replace what was measured now, and keep the rest."""
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(before | report, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--memory", action="store_true", help="measure the memory only")
    parser.add_argument("--keep", help="folder for the trained flows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    save({"torch": torch.__version__, "memory": memory_table()})
    if options.memory:
        return
    data = crops(8000)
    sizes = {name: len(part) for name, part in data.items()}
    save({"crops": sizes, "steps": options.steps, "widths": WIDTHS})
    for name, noise_steps in NOISES.items():
        flow, row = trained(noise_steps, options.steps, data)
        print(name, row["minutes"], row["test"])
        save({name: row})
        if options.keep:
            flows.save(flow, Path(options.keep) / f"glow_{name}")


if __name__ == "__main__":
    main()
