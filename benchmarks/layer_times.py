"""Claim: the inverse of a layer costs about as much as the layer; measured for every sample of the table.

Setting: the samples of the tests (small events), 512 rows, float32, one thread. Milliseconds of process time
of the forward pass, of the inverse pass, and of backpropagation through a forward pass (loss: mean square of
the latent minus mean log_det), each the median of interleaved rounds; and two ratios, inverse over forward
and backward over forward.

    python benchmarks/layer_times.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from preimage.checks import as_tuple
from preimage.testing import Sample
from preimage.testing.case import Case, convert

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "layers"))
from table import all_samples

RESULTS = Path(__file__).parent / "results" / "layer_times.json"
ROWS = 512


def milliseconds(function: Callable[[], Any]) -> float:
    start = time.process_time()
    function()
    return 1000 * (time.process_time() - start)


def loss_of(case: Case) -> torch.Tensor:
    leaves = convert(case.x, lambda tensor: tensor.detach().requires_grad_())
    value, log_det = case.layer.forward_and_log_det(leaves, case.context)
    return torch.stack([tensor.square().mean() for tensor in as_tuple(value)]).sum() - log_det.mean()


def round_of(case: Case, y: Any) -> dict[str, float]:
    """Every pass once."""
    loss = loss_of(case)
    with torch.no_grad():
        return {
            "forward": milliseconds(lambda: case.layer.forward_and_log_det(case.x, case.context)),
            "inverse": milliseconds(lambda: case.layer.inverse_and_log_det(y, case.context)),
            "backward": milliseconds(loss.backward),
        }


def measure(sample: Sample, rounds: int) -> dict[str, Any]:
    case = sample.case(ROWS).to(torch.float32)
    y = case.y
    found = [round_of(case, y) for _ in range(rounds + 2)][2:]  # two to warm up
    medians = {name: statistics.median(times[name] for times in found) for name in found[0]}
    return {
        "layer": type(case.layer).__name__,
        "values per row": sum(tensor[0].numel() for tensor in as_tuple(case.x)),
        **{f"{name} ms": value for name, value in medians.items()},
        "inverse / forward": medians["inverse"] / medians["forward"],
        "backward / forward": medians["backward"] / medians["forward"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = {}
    for sample in all_samples():
        table[sample.name] = row = measure(sample, options.rounds)
        numbers = " ".join(f"{row[key]:9.3f}" for key in ("forward ms", "inverse ms", "inverse / forward"))
        print(f"{sample.name:52} {numbers}")
    RESULTS.parent.mkdir(exist_ok=True)
    report = {"torch": torch.__version__, "rows": ROWS, "rounds": options.rounds, "table": table}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
