"""The nine residual blocks of EfficientNet-Lite0 solved as equations x + g(x) = y, one by one.

    python benchmarks/residual_blocks.py               # writes results/residual_blocks.json
    python benchmarks/residual_blocks.py --pictures 1

y is the true output of a block in float64; x is looked for. The start is calibrated: the linear map from the
channels of y at a position to those of x that fits six other photographs best; the search is data-free from there.
Newton steps with the whole Jacobian, so pictures are cut down to ``--pixels`` (48). ``solved`` counts residuals
below 1e-6, ``input`` those that also came back to the true input within 2 %: a block may have several preimages.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from preimage import zoo
from preimage.inverse.solvers.dense_newton import dense_newton

RESULT = Path(__file__).parent / "results" / "residual_blocks.json"
BLOCKS = (12, 13, 14, 6, 7, 9, 10, 4)
CALIBRATION = 6


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
    ridge = 1e-3 * gram.diagonal().mean() * torch.eye(len(gram)).to(gram)
    weight = torch.linalg.solve(gram + ridge, y_known.T @ x_known)
    return (positions(y) @ weight).view(*y.shape[:1], *y.shape[2:], -1).movedim(-1, 1)


def solve(block: nn.Module, truth: Tensor, y: Tensor, start: Tensor) -> dict[str, float]:
    begun = time.process_time()
    x, certificate = dense_newton(block, y, start, tolerance=1e-10, steps=25)
    return {
        "residual": certificate.residual.item(),
        "steps": int(certificate.iterations),
        "input_error": ((x - truth).norm() / truth.norm()).item(),
        "start_error": ((start - truth).norm() / truth.norm()).item(),
        "cpu_seconds": round(time.process_time() - begun, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--pixels", type=int, default=48)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0")
    inputs = torch.stack([network.preprocess(p.read()) for p in zoo.pictures()]).double()
    inputs = nn.functional.interpolate(inputs, arguments.pixels, mode="area")
    known = features(network.module.double(), inputs[:CALIBRATION])
    tested = features(network.module, inputs[CALIBRATION : CALIBRATION + arguments.pictures])
    rows = {}
    for index in BLOCKS:
        block, (x, y) = network.module._blocks[index], tested[index]
        starts = calibrated_start(known[index], y)
        cells = [solve(block, *(v[i : i + 1] for v in (x, y, starts))) for i in range(len(y))]
        rows[index] = {
            "unknowns": x[0].numel(),
            "solved": sum(c["residual"] <= 1e-6 for c in cells),
            "input": sum(c["residual"] <= 1e-6 and c["input_error"] <= 0.02 for c in cells),
            "pictures": len(cells),
            "cells": cells,
        }
        print(index, json.dumps(rows[index]), flush=True)
        command = f"python benchmarks/residual_blocks.py --pictures {arguments.pictures} --pixels {arguments.pixels}"
        result = {"command": command, "torch": torch.__version__, "pixels": arguments.pixels, "blocks": rows}
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
