"""Claim: splines stay exact in float32 for any raw parameters, and their gradients finite.

One spline of 8 bins a number, 20,000 numbers a run: a fifth beyond the box, some on its edges and next
to them, two of order 1e6; raw parameters from a normal distribution of deviation 1, 3, 5 and 20. Reported
are the largest error of inverse(forward(x)) within the box from -4 to 4, whether everything was finite,
log_dets and the gradients by x and raw parameters included, and process time a call. Libraries run with their
own defaults; ours also with the knots of nflows.

    python benchmarks/spline_extremes.py
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from preimage.functional.splines import RationalQuadratic
from preimage.layers import (
    BernsteinMap,
    CubicSplineMap,
    CustomSplineMap,
    ElementMap,
    LinearSplineMap,
    LogisticMixtureMap,
    QuadraticSplineMap,
    RationalQuadraticMap,
    SoftmaxKnots,
)

RESULTS = Path(__file__).parent / "results" / "spline_extremes.json"
BOUND, BINS, COUNT = 4.0, 8, 20_000
DEVIATIONS = (1.0, 3.0, 5.0, 20.0)
Run = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def ours(element_map: ElementMap) -> tuple[int, Run, Run]:
    return element_map.count, element_map.forward_elements, element_map.inverse_elements


def durkan(function: Callable, sizes: list[int]) -> tuple[int, Run, Run]:
    """nflows and normflows: one function for both directions, raw numbers in parts."""

    def run(inverse: bool) -> Run:
        def call(x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
            return function(x, *raw.split(sizes, -1), inverse=inverse, tails="linear", tail_bound=BOUND)

        return call

    return sum(sizes), run(False), run(True)


def zuko() -> tuple[int, Run, Run]:
    from zuko.transforms import MonotonicRQSTransform

    def make(raw: Tensor) -> MonotonicRQSTransform:
        return MonotonicRQSTransform(*raw.split([BINS, BINS, BINS - 1], -1), bound=BOUND)

    def back(transform: MonotonicRQSTransform, y: Tensor) -> tuple[Tensor, Tensor]:
        x = transform.inv(y)
        return x, -transform.log_abs_det_jacobian(x, y)

    return (
        3 * BINS - 1,
        lambda x, raw: make(raw).call_and_ladj(x),
        lambda y, raw: back(make(raw), y),
    )


def candidates() -> dict[str, tuple[int, Run, Run]]:
    from nflows.transforms import splines as nflows
    from normflows.utils.splines import unconstrained_rational_quadratic_spline as normflows

    rational, pair = [BINS, BINS, BINS - 1], [BINS, BINS]
    return {
        "preimage rational quadratic": ours(RationalQuadraticMap(BINS, BOUND)),
        "preimage, knots of nflows": ours(CustomSplineMap(RationalQuadratic(), SoftmaxKnots(BINS, BOUND))),
        "nflows rational quadratic": durkan(nflows.unconstrained_rational_quadratic_spline, rational),
        "normflows rational quadratic": durkan(normflows, rational),
        "zuko rational quadratic": zuko(),
        "preimage linear": ours(LinearSplineMap(BINS, BOUND)),
        "nflows linear": durkan(nflows.unconstrained_linear_spline, [BINS]),
        "preimage quadratic": ours(QuadraticSplineMap(BINS, BOUND)),
        "nflows quadratic": durkan(nflows.unconstrained_quadratic_spline, [BINS, BINS - 1]),
        "preimage cubic": ours(CubicSplineMap(BINS, BOUND)),
        "nflows cubic": durkan(nflows.unconstrained_cubic_spline, [*pair, 1, 1]),
        "preimage logistic mixture": ours(LogisticMixtureMap(BINS)),
        "preimage Bernstein": ours(BernsteinMap(12, BOUND)),
    }


def numbers() -> Tensor:
    """A fifth beyond the box; both edges, 0 and their neighbours; 1e6."""
    edges = torch.tensor([-BOUND, BOUND, 0.0])
    beside = [edges.nextafter(torch.tensor(end)) for end in (1e9, -1e9)]
    large = torch.tensor([1e6, -1e6])
    return torch.cat([edges, *beside, large, 2.5 * BOUND * (torch.rand(COUNT) - 0.5)])


def measure(count: int, forward: Run, inverse: Run, deviation: float) -> dict[str, object]:
    torch.manual_seed(0)
    x = numbers().requires_grad_()
    raw = (deviation * torch.randn(len(x), count)).requires_grad_()
    try:
        y, log_slope = forward(x, raw)
        back, back_log_slope = inverse(y, raw)
        total = y.sum() + log_slope.sum() + back.sum() + back_log_slope.sum()
        gradients = torch.autograd.grad(total, (x, raw))
    except Exception as error:
        return {"error": None, "finite": False, "raised": type(error).__name__}
    inside = x.detach().abs() <= BOUND
    found = (back - x)[inside].detach().abs()
    finite = all(bool(t.isfinite().all()) for t in (y, log_slope, back, back_log_slope, *gradients))
    return {"error": found.nan_to_num(nan=float("inf")).max().item(), "finite": finite, "raised": None}


@torch.no_grad()
def seconds(count: int, run: Run, repeats: int = 15) -> float:
    x, raw = numbers(), torch.randn(len(numbers()), count) / 4
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run(x, raw)
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    report: dict[str, object] = {}
    table = {}
    for name, (count, forward, inverse) in candidates().items():
        found = {str(d): measure(count, forward, inverse, d) for d in DEVIATIONS}
        table[name] = {
            "deviations": found,
            "forward_seconds": seconds(count, forward),
            "inverse_seconds": seconds(count, inverse),
        }
        print(name, json.dumps(table[name]))
    report = {"numbers": COUNT, "bins": BINS, "bound": BOUND, "torch": torch.__version__, "table": table}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
