"""The four Penrose identities of ``pi.pseudo_inverse`` over a grid of convolutions.

    python benchmarks/penrose_grid.py             # the whole grid, writes results/penrose_grid.json
    python benchmarks/penrose_grid.py --every 20  # every 20th layer

The matrix A of each layer comes from the layer itself, run on unit vectors in float64; the matrix P from the
library, run on unit vectors in the tested precision. The four errors are relative Frobenius norms of A P A - A,
P A P - P, A P - (A P)' and P A - (P A)'. Weights are normal numbers, sizes odd and uneven. Where the goal is
missed, ``exact_but_rounded`` tells the same error of torch's float64 pseudo-inverse of A after it was rounded to
the tested precision: what storing P in that precision costs by itself.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

import preimage as pi

RESULT = Path(__file__).parent / "results" / "penrose_grid.json"
GOAL = {torch.float32: 1e-5, torch.float64: 1e-11}
IDENTITIES = ("A P A = A", "P A P = P", "A P symmetric", "P A symmetric")
MODES = ("zeros", "circular", "reflect", "replicate")
SIZES = {1: (21,), 2: (9, 7), 3: (5, 4, 3)}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
LARGE = (
    ("8 to 8, 3x3, 18x17", nn.Conv2d(8, 8, 3, padding=1), (8, 18, 17)),
    ("3 to 16, 3x3 stride 2, 32x31", nn.Conv2d(3, 16, 3, stride=2, padding=1), (3, 32, 31)),
    ("16 to 8, 5x5 stride 2, 17x17", nn.Conv2d(16, 8, 5, stride=2, padding=2), (16, 17, 17)),
    ("8 to 8, 3x3 circular, 32x32", nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"), (8, 32, 32)),
    ("depthwise 16, 3x3 stride 2, 28x28", nn.Conv2d(16, 16, 3, 2, 1, groups=16), (16, 28, 28)),
)


def layers() -> Iterator[tuple[str, nn.Module, tuple[int, ...]]]:
    """Name, layer and event shape of every convolution of the grid that PyTorch accepts."""
    kernels, strides, dilations = range(1, 8), range(1, 5), range(1, 4)
    for dimensions, kernel, stride, dilation in itertools.product(SIZES, kernels, strides, dilations):
        span = dilation * (kernel - 1) + 1
        size = SIZES[dimensions]
        for groups, mode, padded in itertools.product((1, 2, 4), MODES, (False, True)):
            padding = (span - 1) // 2 if padded else 0
            widest = min(size) - (mode == "reflect")
            if (mode != "zeros" and not 0 < padding <= widest) or min(size) + 2 * padding < span:
                continue
            name = f"{dimensions}d k{kernel} s{stride} d{dilation} p{padding} g{groups} {mode}"
            options = {"padding": padding, "dilation": dilation, "groups": groups, "bias": dilation == 1}
            out = 8 if stride > 1 and groups < 4 else 4
            layer = CONVOLUTIONS[dimensions](4, out, kernel, stride, padding_mode=mode, **options)
            yield name, layer, (4, *size)
        small = tuple((s + 1) // 2 for s in size)
        for groups, padding in itertools.product((1, 2), (0, (span - 1) // 2)):
            made = [(s - 1) * stride - 2 * padding + span for s in small]
            if min(made) < 1 or prod(made) > 400:
                continue
            name = f"{dimensions}d transposed k{kernel} s{stride} d{dilation} p{padding} g{groups}"
            options = {"padding": padding, "dilation": dilation, "groups": groups, "bias": dilation == 1}
            yield name, TRANSPOSED[dimensions](4, 4, kernel, stride, **options), (4, *small)


def matrix_of(layer: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """The matrix of the layer as it is, ``(out, in)`` in float64."""
    layer = layer.double()
    basis = torch.eye(torch.Size(shape).numel(), dtype=torch.float64).view(-1, *shape)
    zero = layer(torch.zeros(1, *shape, dtype=torch.float64))
    return (torch.cat([layer(part) for part in basis.split(256)]) - zero).flatten(1).T


def identities(a: Tensor, p: Tensor) -> list[float]:
    ap, pa = a @ p, p @ a
    pairs = ((ap @ a, a), (pa @ p, p), (ap, ap.T), (pa, pa.T))
    return [((left - right).norm() / right.norm().clamp_min(1e-300)).item() for left, right in pairs]


@torch.no_grad()
def measure(layer: nn.Module, shape: tuple[int, ...], dtype: torch.dtype) -> dict[str, object]:
    nn.init.normal_(layer.weight)
    layer = layer.to(dtype)
    inverse = pi.pseudo_inverse(layer, shape)
    out_shape = layer(torch.zeros(1, *shape, dtype=dtype)).shape[1:]
    facts = inverse.facts
    basis = torch.eye(out_shape.numel(), dtype=dtype).view(-1, *out_shape)
    shift = layer(torch.zeros(1, *shape, dtype=dtype))
    p = torch.cat([inverse(part + shift) for part in basis.split(256)]).flatten(1).T.double()
    a = matrix_of(layer, shape)
    errors = identities(a, p)
    rounded = max(identities(a, torch.linalg.pinv(a).to(dtype).double()))
    found = {"route": inverse.route, "condition": facts.condition, "errors": errors, "worst": max(errors)}
    return found | {"exact_but_rounded": rounded}


@torch.no_grad()
def measure_on_vectors(layer: nn.Module, shape: tuple[int, ...], dtype: torch.dtype) -> dict[str, object]:
    """The same identities on three random vectors, for layers whose matrices are too large to write down."""
    nn.init.normal_(layer.weight)
    layer = layer.to(dtype)
    inverse = pi.pseudo_inverse(layer, shape)
    shift = layer(torch.zeros(1, *shape, dtype=dtype))
    x, u = torch.randn(2, 3, *shape, dtype=dtype)
    y, v = torch.randn(2, 3, *shift.shape[1:], dtype=dtype)

    def a(x: Tensor) -> Tensor:
        return layer(x) - shift

    def p(z: Tensor) -> Tensor:
        return inverse(z + shift)

    def asymmetry(b: Callable[[Tensor], Tensor], left: Tensor, right: Tensor) -> float:
        images = b(left), b(right)
        gap = (images[0].double() * right).sum() - (images[1].double() * left).sum()
        return (gap.abs() / (images[0].norm() * right.norm())).item()

    begun = time.process_time()
    errors = [
        ((a(p(a(x))) - a(x)).norm() / a(x).norm()).item(),
        ((p(a(p(y))) - p(y)).norm() / p(y).norm()).item(),
        asymmetry(lambda z: a(p(z)), y, v),
        asymmetry(lambda z: p(a(z)), x, u),
    ]
    seconds = (time.process_time() - begun) / 6
    return {
        "route": inverse.route,
        "errors": errors,
        "worst": max(errors),
        "seconds_a_solve": round(seconds, 3),
    }


def summary(rows: list[dict], dtype: torch.dtype) -> dict[str, object]:
    goal = GOAL[dtype]
    return {
        "layers": len(rows),
        "within_goal": sum(row["worst"] <= goal for row in rows),
        "goal": goal,
        "worst": {name: max(row["errors"][i] for row in rows) for i, name in enumerate(IDENTITIES)},
        "largest_condition": max(row["condition"] for row in rows if row["condition"] == row["condition"]),
        "missed": [
            {key: row[key] for key in ("layer", "worst", "condition", "exact_but_rounded")}
            for row in rows
            if row["worst"] > goal
        ],
        "routes": {r: sum(row["route"] == r for row in rows) for r in sorted({row["route"] for row in rows})},
    }


def run(every: int) -> dict[str, object]:
    torch.manual_seed(0)
    command = "python benchmarks/penrose_grid.py" + (f" --every {every}" if every > 1 else "")
    result: dict[str, object] = {"command": command, "torch": torch.__version__}
    for dtype in GOAL:
        rows = [
            {"layer": name, **measure(layer, shape, dtype)}
            for name, layer, shape in itertools.islice(layers(), 0, None, every)
        ]
        large = [{"layer": name, **measure_on_vectors(layer, shape, dtype)} for name, layer, shape in LARGE]
        result[str(dtype)] = {"grid": summary(rows, dtype), "large": large}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1)
    every = parser.parse_args().every
    torch.set_num_threads(1)
    begun = time.process_time()
    result = run(every) | {"process_seconds": round(time.process_time() - begun, 1)}
    print(json.dumps(result, indent=1))
    if every <= 12:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
