"""Stochastic log-determinants: are they unbiased, and do their 95 % intervals cover 93 to 97 %?

Every case is judged against the exact log_det of the same layer. The seeds of the report were not used while
the estimators were written.

python benchmarks/log_det_estimators.py
"""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from scipy import stats
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.layers import (
    AssumedLipschitz,
    ExactLogDet,
    ExactTrace,
    HutchinsonTrace,
    LipschitzConvNet,
    LipschitzMLP,
    LogDet,
    NeuralODE,
    Recording,
    Residual,
    RungeKutta,
    RussianRoulette,
    TruncatedSeries,
    VelocityMLP,
)

RESULT = Path(__file__).parent / "results" / "log_det_estimators.json"
ROWS, CALLS, SEED = 16, 120, 20261122


class Turn(nn.Module):
    """The hardest contraction: a rotation, shrunk to the bound in every direction."""

    def __init__(self, size: int, bound: float) -> None:
        super().__init__()
        self.register_buffer("matrix", bound * torch.linalg.qr(torch.randn(size, size)).Q)

    def forward(self, x: Tensor) -> Tensor:
        """Turn and shrink."""
        return x @ self.matrix


def loud(network: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(4)
    return network


def layers() -> dict[str, tuple[Residual, Tensor]]:
    torch.manual_seed(SEED)
    found: dict[str, tuple[Residual, Tensor]] = {}
    for size, bound in ((4, 0.5), (4, 0.97), (16, 0.9), (64, 0.97)):
        network = loud(LipschitzMLP(size, (2 * size, 2 * size), bound=bound))
        found[f"MLP, D = {size}, c = {bound}"] = (Residual(network), torch.randn(ROWS, size))
    network = loud(LipschitzConvNet(1, (8,), bound=0.97))
    found["convolutions, D = 36, c = 0.97"] = (Residual(network), torch.randn(ROWS, 1, 6, 6))
    for size, bound in ((8, 0.9), (32, 0.97)):
        network = AssumedLipschitz(Turn(size, bound), bound, Reals(size))
        found[f"rotation, D = {size}, c = {bound}"] = (Residual(network), torch.randn(ROWS, size))
    return {name: (layer.double(), x.double()) for name, (layer, x) in found.items()}


def estimators(probes: int, rotation: bool) -> dict[str, LogDet]:
    generator = lambda: torch.Generator().manual_seed(SEED)  # noqa: E731
    found: dict[str, LogDet] = {"Russian roulette": RussianRoulette(probes, generator=generator())}
    if rotation:  # where every term of the series counts
        found["Russian roulette, q = 0.5"] = RussianRoulette(probes, continuation=0.5, generator=generator())
        found["truncated after 10 terms"] = TruncatedSeries(probes, 10, generator=generator())
    return found


@torch.no_grad()
def judge(estimate: Callable[[], tuple[Tensor, Tensor]], truth: Tensor, probes: int) -> dict[str, float]:
    """Coverage of 95 % intervals without the bias bound, and the mean error over its own uncertainty.

    Rows of one call share random lengths: calls are the independent unit.
    """
    quantile = float(stats.t(probes - 1).ppf(0.975))
    start, inside, errors, widths = time.process_time(), [], [], []
    for _ in range(CALLS):
        value, standard_error = estimate()
        error = value - truth
        inside.append((error.abs() <= quantile * standard_error).double().mean())
        errors.append(error)
        widths.append(standard_error)
    error = torch.stack(errors)  # (calls, N)
    mean, uncertainty = error.mean(0), error.std(0) / math.sqrt(CALLS)
    per_call = error.mean(1)
    return {
        "coverage": float(torch.stack(inside).mean()),
        "coverage_uncertainty": float(torch.stack(inside).std() / math.sqrt(CALLS)),
        "bias": float(per_call.mean()),
        "bias_over_uncertainty": float(per_call.mean() / (per_call.std() / math.sqrt(CALLS))),
        "largest_row_bias_over_uncertainty": float((mean / uncertainty).abs().max()),
        "standard_error": float(torch.stack(widths).mean()),
        "spread": float(error.std(0).mean()),
        "cpu_seconds_a_call": (time.process_time() - start) / CALLS,
    }


def residual_layers() -> list[dict]:
    found = []
    for name, (layer, x) in layers().items():
        with torch.no_grad():
            truth = Residual(layer.network, log_det=ExactLogDet()).forward_and_log_det(x)[1]
        for probes in (8, 16, 32):
            for kind, estimator in estimators(probes, "rotation" in name).items():
                noisy = Residual(layer.network, log_det=estimator)
                estimate = lambda noisy=noisy: noisy.estimate_log_det(x)[:2]  # noqa: B023, E731
                found.append(
                    {"layer": name, "estimator": kind, "probes": probes} | judge(estimate, truth, probes)
                )
                print(found[-1])
    return found


def neural_ode() -> list[dict]:
    torch.manual_seed(SEED)
    velocity, x = VelocityMLP(8, (16,)).double(), torch.randn(ROWS, 8, dtype=torch.float64)
    flow = lambda trace: NeuralODE(velocity, Reals(8), trace=trace, solver=RungeKutta(4))  # noqa: E731
    with torch.no_grad():
        truth, found = flow(ExactTrace()).forward_and_log_det(x)[1], []
    for probes in (8, 16, 32):
        noisy = flow(HutchinsonTrace(probes, torch.Generator().manual_seed(SEED)))

        def estimate(noisy: NeuralODE = noisy) -> tuple[Tensor, Tensor]:
            with Recording() as recording:
                log_det = noisy.forward_and_log_det(x)[1]
            return log_det, recording.forward.values["log_det standard error"][0]

        name = {"layer": "neural ODE, D = 8", "estimator": "Hutchinson", "probes": probes}
        found.append(name | judge(estimate, truth, probes))
        print(found[-1])
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = {"rows": ROWS, "calls": CALLS, "cases": residual_layers() + neural_ode()}
    RESULT.write_text(json.dumps(results, indent=1) + "\n")
