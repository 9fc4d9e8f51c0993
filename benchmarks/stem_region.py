"""The first region of EfficientNet-Lite0 (convolution, batch norm, ReLU6) run backwards, without any data.

    python benchmarks/stem_region.py              # all packaged photographs, writes results/stem_region.json
    python benchmarks/stem_region.py --pictures 3 # the first three

Three routes find the picture from the true outputs of the region: the consensus of overlapping windows (what
the library takes), 400 conjugate gradient steps on the unsaturated rows, and the obvious pseudo-inverse that
reads the clamp as the identity (the last two on three pictures only). Times are CPU seconds of one thread,
the factorisation of each picture's equations included.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from preimage import zoo
from preimage.inverse import linear as li
from preimage.inverse.solvers import Saturation, saturation_inverse
from preimage.inverse.solvers.linear_systems.cgls import cgls

RESULT = Path(__file__).parent / "results" / "stem_region.json"
TUNED = ("chelsea", "tower", "flower", "rectangles")  # settings were looked at on these pictures


def stem(network: torch.nn.Module) -> li.AffineComposition:
    convolution, norm = network._conv_stem, network._bn0
    statistics_of_norm = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    return li.AffineComposition(
        [
            li.Pad((3, 224, 224), [(0, 1), (0, 1)]),
            li.Convolution(convolution.weight, (3, 225, 225), 2),
            li.BatchNorm((32, 112, 112), *statistics_of_norm, eps=norm.eps),
        ]
    )


def psnr(x: Tensor, truth: Tensor) -> float:
    """In decibels of the 8-bit range: one grey level is 1/128 in x."""
    return 10 * math.log10((255 / 128) ** 2 / (x - truth).double().square().mean().item())


def as_identity(affine: li.AffineComposition) -> Callable[[Tensor], Tensor]:
    folded = li.snapshot(affine)

    def solve(y: Tensor) -> Tensor:
        target = (y.double() - folded.offset).float()
        start = torch.zeros(1, *affine.in_shape)
        return cgls(folded.linear.apply, folded.linear.adjoint, target, start, iterations=200).x

    return solve


def unsaturated_rows(affine: li.AffineComposition) -> Callable[[Tensor], Tensor]:
    folded = li.snapshot(affine)

    def solve(y: Tensor) -> Tensor:
        mask = ((y > 0) & (y < 6)).float()
        target = mask * (y.double() - folded.offset).float()
        start = torch.zeros(1, *affine.in_shape)
        return cgls(
            lambda x: mask * folded.linear.apply(x),
            lambda r: folded.linear.adjoint(mask * r),
            target,
            start,
            iterations=400,
        ).x

    return solve


def timed(solve: Callable[[Tensor], Tensor], y: Tensor) -> tuple[Tensor, float]:
    begun = time.process_time()
    x = solve(y)
    return x, time.process_time() - begun


def window_error(x: Tensor, truth: Tensor) -> Tensor:
    """Relative error of the 3x3 window that each output sees, (112, 112)."""
    window = li.Convolution(torch.ones(1, 3, 3, 3, dtype=torch.float64), (3, 224, 224), 2, [(0, 1)])
    squares = [window.apply((v.double()).square())[0, 0] for v in (x - truth, truth)]
    return (squares[0] / squares[1]).sqrt()


def measure(affine: li.AffineComposition, x: Tensor, y: Tensor) -> dict[str, float | int]:
    saturation = Saturation(0, 6)
    begun = time.process_time()
    found = saturation_inverse(affine, saturation)(y)
    seconds = time.process_time() - begun
    error = window_error(found.x, x)
    return {
        "psnr": round(psnr(found.x, x), 2),
        "cpu_seconds": round(seconds, 3),
        "iterations": int(found.certificate.iterations),
        "residual": float(found.certificate.residual),
        "active_share": round(((y > 0) & (y < 6)).double().mean().item(), 4),
        "certified_exact_share": round(found.exact.double().mean().item(), 4),
        "within_1e-5_share": round((error <= 1e-5).double().mean().item(), 4),
        "certified_but_wrong": int((found.exact[0] & (error > 1e-5)).sum()),
    }


def measure_baselines(affine: li.AffineComposition, x: Tensor, y: Tensor) -> dict[str, float]:
    rows, rows_seconds = timed(unsaturated_rows(affine), y)
    naive, naive_seconds = timed(as_identity(affine), y)
    return {
        "masked_rows_psnr": round(psnr(rows, x), 2),
        "masked_rows_cpu_seconds": round(rows_seconds, 3),
        "clamp_as_identity_psnr": round(psnr(naive, x), 2),
        "clamp_as_identity_cpu_seconds": round(naive_seconds, 3),
    }


def network_output(module: torch.nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return module._bn0(module._conv_stem(x)).clamp(0, 6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=None)
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0")
    affine = stem(network.module)
    rows, baselines = {}, {}
    for photograph in zoo.pictures()[: parser.parse_args().pictures]:
        x = network.preprocess(photograph.read())[None]
        y = network_output(network.module, x)
        rows[photograph.name] = {"tuned_on": photograph.name in TUNED, **measure(affine, x, y)}
        if len(baselines) < 3:
            baselines[photograph.name] = measure_baselines(affine, x, y)
        print(photograph.name, rows[photograph.name], flush=True)
    values = list(rows.values())
    result = {
        "command": "python benchmarks/stem_region.py",
        "torch": torch.__version__,
        "threads": 1,
        "pictures": rows,
        "baselines": baselines,
        "median": {k: statistics.median(v[k] for v in values) for k in ("psnr", "cpu_seconds", "iterations")},
        "worst": {
            "psnr": min(v["psnr"] for v in values),
            "cpu_seconds": max(v["cpu_seconds"] for v in values),
            "certified_but_wrong": sum(v["certified_but_wrong"] for v in values),
        },
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(result["median"], result["worst"])


if __name__ == "__main__":
    main()
