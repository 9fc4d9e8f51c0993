"""The nine residual blocks of EfficientNet-Lite0 solved as equations x + g(x) = y, one by one.

    python benchmarks/residual_blocks.py               # writes results/residual_blocks.json
    python benchmarks/residual_blocks.py --pictures 1 --blocks 6 7

y is the true output of a block in float64; x is looked for. The start is calibrated: the linear map from the
channels of y at a position to those of x that fits other photographs best; the search is data-free from there: by
continuation, from up to three starts (the calibrated one, y itself, their mean), each given 30 steps. The whole
Jacobian is written down, so pictures are cut down to ``--pixels`` (48). ``solved`` counts residuals below 1e-6,
``input`` those that also came back to the true input within 2 %: a block may have several preimages. ``newton`` is
the residual of damped Newton steps from the calibrated start, for comparison.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from preimage import zoo
from preimage.inverse.solvers.nonlinear.continuation import continuation
from residual_structure import MobileBlock

RESULT = Path(__file__).parent / "results" / "residual_blocks.json"
BLOCKS = (12, 13, 14, 6, 7, 9, 10, 4, 2)
TESTED = ("astronaut", "bus", "zidane", "grace_hopper")
TOLERANCE, STEPS = 1e-6, 30


def features(network: nn.Module, x: Tensor) -> dict[int, tuple[Tensor, Tensor]]:
    """Input and output of every block."""
    found: dict[int, tuple[Tensor, Tensor]] = {}
    hooks = [
        block.register_forward_hook(lambda _, given, made, i=i: found.update({i: (given[0], made)}))
        for i, block in enumerate(network._blocks)
    ]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return found


def positions(x: Tensor) -> Tensor:
    """``(N, C, H, W)`` to ``(N H W, C + 1)`` with a column of ones."""
    flat = x.movedim(1, -1).flatten(0, -2)
    return torch.cat([flat, flat.new_ones(len(flat), 1)], 1)


def calibrated_start(pairs: tuple[Tensor, Tensor], y: Tensor) -> Tensor:
    """The ridge estimate of x from y at the same position."""
    x_known, y_known = pairs[0].movedim(1, -1).flatten(0, -2), positions(pairs[1])
    gram = y_known.T @ y_known
    ridge = 1e-2 * gram.diagonal().mean() * torch.eye(len(gram)).to(gram)
    weight = torch.linalg.solve(gram + ridge, y_known.T @ x_known)
    return (positions(y) @ weight).view(*y.shape[:1], *y.shape[2:], -1).movedim(-1, 1)


def relative(a: Tensor, b: Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


def newton(block: MobileBlock, y: Tensor, x: Tensor) -> float:
    """Residual after at most 25 Newton steps with a line search."""
    for _ in range(25):
        miss = y - block(x)
        change = torch.linalg.solve(block.jacobian(x), miss.flatten()).view_as(x)
        trials = [x + length * change for length in (1.0, 0.5, 0.25, 0.1, 0.03)]
        best = min(trials, key=lambda trial: (y - block(trial)).norm().item())
        if not (y - block(best)).norm() < miss.norm():
            break
        x = best
    return relative(block(x), y)


def solve(block: MobileBlock, truth: Tensor, y: Tensor, start: Tensor) -> dict[str, float]:
    begun, best = time.process_time(), (float("inf"), start)
    attempts = steps = 0
    for attempt in (start, y, (start + y) / 2):
        x, certificate = continuation(
            block, y, attempt, tolerance=TOLERANCE, steps=STEPS, jacobian=block.jacobian
        )
        attempts, steps = attempts + 1, steps + int(certificate.iterations)
        best = min(best, (certificate.residual.item(), x), key=lambda pair: pair[0])
        if certificate.ok:
            break
    seconds = time.process_time() - begun
    return {
        "residual": best[0],
        "attempts": attempts,
        "steps": steps,
        "input_error": relative(best[1], truth),
        "start_error": relative(start, truth),
        "newton": newton(block, y, start),
        "cpu_seconds": round(seconds, 2),
    }


def row(cells: list[dict[str, float]], unknowns: int) -> dict[str, object]:
    solved = [c for c in cells if c["residual"] <= TOLERANCE]
    return {
        "unknowns": unknowns,
        "solved": len(solved),
        "input": sum(c["input_error"] <= 0.02 for c in solved),
        "newton": sum(c["newton"] <= TOLERANCE for c in cells),
        "pictures": len(cells),
        "cells": cells,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--pixels", type=int, default=48)
    parser.add_argument("--blocks", type=int, nargs="*", default=BLOCKS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0")
    inputs = {p.name: network.preprocess(p.read()) for p in zoo.pictures()}
    inputs = {n: nn.functional.interpolate(x[None], options.pixels, mode="area") for n, x in inputs.items()}
    fitted = torch.cat([x for name, x in inputs.items() if name not in TESTED]).double()
    known = features(network.module.double(), torch.cat([fitted, fitted.flip(-1)]))
    tested = features(network.module, torch.cat([inputs[n] for n in TESTED[: options.pictures]]).double())
    command = f"python benchmarks/residual_blocks.py --pictures {options.pictures} --pixels {options.pixels}"
    rows = measured(command)
    for index in options.blocks:
        block, (x, y) = MobileBlock(network.module._blocks[index]), tested[index]
        starts = calibrated_start(known[index], y)
        with torch.no_grad():
            cells = [solve(block, *(v[i : i + 1] for v in (x, y, starts))) for i in range(len(y))]
        rows[str(index)] = row(cells, x[0].numel())
        print(index, json.dumps(rows[str(index)]), flush=True)
        result = {"command": command, "torch": torch.__version__, "pixels": options.pixels, "blocks": rows}
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


def measured(command: str) -> dict[str, object]:
    """The blocks that the same command has measured already; those that are measured now are replaced."""
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    return found["blocks"] if found.get("command") == command else {}


if __name__ == "__main__":
    main()
