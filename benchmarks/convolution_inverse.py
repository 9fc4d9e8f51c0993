"""Claim: from 16 x 16 positions on, slanted lines invert an autoregressive convolution fastest, and as exactly.

Setting: kernel 3 x 3, 8 channels, batch 16, float32, one thread; pictures of 8 x 8 to 64 x 64 positions. The loop
finds one position after the other from the patch around it; the dense solve materialises the triangular matrix
of the whole map (up to 32 x 32, beyond it would need gigabytes) and solves with it. Times are process times,
ratios are taken inside a round of the same run and summarised by their median. Errors are relative to the x
that was convolved. The last lines give one forward and one inverse pass of every convolution of the library with
32 x 32 positions.

    python benchmarks/convolution_inverse.py [--rounds 7]
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

from preimage import Bijection
from preimage.functional.autoregressive.wavefront import solve_causal
from preimage.functional.signals.convolve import zero_padded_convolution
from preimage.layers import (
    AutoregressiveConvolution,
    CircularConvolution,
    CircularExponential,
    ConvolutionExponential,
    EmergingConvolution,
    InvertibleDownsampling,
)

RESULTS = Path(__file__).parent / "results" / "convolution_inverse.json"
CHANNELS, BATCH = 8, 16


def by_positions(y: Tensor, weight: Tensor) -> Tensor:
    """One position after the other."""
    x = nn.functional.pad(torch.zeros_like(y), (1, 1, 1, 0))
    taps = weight[:, :, :2].flatten(1)  # the rows before and at the position
    for row in range(y.shape[2]):
        for column in range(y.shape[3]):
            patch = x[:, :, row : row + 2, column : column + 3].flatten(1)
            x[:, :, row + 1, column + 1] = y[:, :, row, column] - patch @ taps.mT
    return x[:, :, 1:, 1:-1]


def by_dense_solve(y: Tensor, weight: Tensor) -> Tensor:
    """The matrix of the whole map, position by position."""
    count = y[0].numel()
    unit = torch.eye(count).view(count, *y.shape[2:], y.shape[1]).movedim(-1, 1)
    images = (unit + zero_padded_convolution(unit, weight)).movedim(1, -1).flatten(1)
    rows = y.movedim(1, -1).flatten(1)
    found = torch.linalg.solve_triangular(images, rows, upper=True, left=False, unitriangular=True)
    return found.unflatten(1, (*y.shape[2:], y.shape[1])).movedim(-1, 1)


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def compare(size: int, rounds: int) -> dict[str, float]:
    torch.manual_seed(0)
    before = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]])
    weight = 0.05 * torch.randn(CHANNELS, CHANNELS, 3, 3) * before
    x = torch.randn(BATCH, CHANNELS, size, size)
    y = x + zero_padded_convolution(x, weight)
    methods = {"slanted lines": solve_causal, "loop over positions": by_positions}
    if size <= 32:
        methods["dense solve"] = by_dense_solve
    times: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            times[name].append(seconds(lambda method=method: method(y, weight)))
    found: dict[str, float] = {"size": size}
    for name, method in methods.items():
        found[f"{name}, ms"] = 1000 * statistics.median(times[name])
        found[f"{name}, error"] = ((method(y, weight) - x).norm() / x.norm()).item()
        ratios = [own / fast for own, fast in zip(times[name], times["slanted lines"], strict=True)]
        found[f"{name}, ratio"] = statistics.median(ratios)
    return found


def layers() -> dict[str, Bijection]:
    return {
        "CircularConvolution": CircularConvolution(CHANNELS, 3),
        "CircularExponential": CircularExponential(CHANNELS, 3),
        "AutoregressiveConvolution": AutoregressiveConvolution(CHANNELS, 3),
        "EmergingConvolution": EmergingConvolution(CHANNELS, 3),
        "ConvolutionExponential": ConvolutionExponential(CHANNELS, 3),
        "InvertibleDownsampling": InvertibleDownsampling(CHANNELS, 2),
    }


@torch.no_grad()
def both_directions(layer: Bijection, rounds: int) -> dict[str, float]:
    for parameter in layer.parameters():
        parameter.add_(0.02 * torch.randn_like(parameter))
    x = torch.randn(BATCH, CHANNELS, 32, 32)
    y = layer(x)
    forward = [seconds(lambda: layer.forward_and_log_det(x)) for _ in range(rounds)]
    inverse = [seconds(lambda: layer.inverse_and_log_det(y)) for _ in range(rounds)]
    return {
        "forward, ms": 1000 * statistics.median(forward),
        "inverse, ms": 1000 * statistics.median(inverse),
        "inverse over forward": statistics.median(b / a for a, b in zip(forward, inverse, strict=True)),
        "error": ((layer.inverse(y) - x).norm() / x.norm()).item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    with torch.no_grad():
        table = [compare(size, rounds) for size in (8, 16, 32, 64)]
    torch.manual_seed(0)
    found = {
        "methods": table,
        "layers": {name: both_directions(layer, rounds) for name, layer in layers().items()},
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
