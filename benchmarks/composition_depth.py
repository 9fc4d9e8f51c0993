"""Claim: a deep random stack of all layers is undone as exactly as its condition number allows.

Setting: stacks of 1 to 64 layers drawn from the table of samples of the tests, each on random features of a
vector of 24, the others passing by; 8 rows of a standard normal. Two families: layers that take every number,
and all layers (those defined on a part of the numbers are followed by their own inverse). For every stack:
relative round-trip error |x' - x| / |x|, condition number of the dense Jacobian (autograd, float64), error
over (eps * condition), and how many rows were certified, flagged by the certificate, or refused by a domain.

    python benchmarks/composition_depth.py [--stacks 20]
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from pathlib import Path

import torch
from torch import Tensor

from preimage import Chain
from preimage.certificate import relative_residual
from preimage.certify import where_defined
from preimage.testing.case import jacobian

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "layers"))
from stacks import WIDTH, saturating, stack

RESULTS = Path(__file__).parent / "results" / "composition_depth.json"
DEPTHS = (1, 2, 4, 8, 16, 32, 64)


def condition_numbers(net: Chain, x: Tensor) -> Tensor:
    """Of every row (N,); infinite where the row has no image."""
    y, _ = where_defined(net.forward, x, None)
    defined = y.isfinite().all(1)
    singular = torch.linalg.svdvals(jacobian(net.forward_and_log_det, x[defined], None))
    found = torch.full((len(x),), float("inf"), dtype=x.dtype)
    found[defined] = singular[:, 0] / singular[:, -1]
    return found


def measure(net: Chain, x: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
    """Error and verdict of every row (N,)."""
    net, x = copy.deepcopy(net).to(dtype), x.to(dtype)
    y, _ = where_defined(net.forward, x, None)
    defined = y.isfinite().all(1)
    back, certificate = net.certified_inverse(y[defined], on_error="nan")
    error = torch.full((len(x),), float("nan"), dtype=torch.float64)
    error[defined] = relative_residual(back, x[defined]).double()
    certified = torch.zeros(len(x), dtype=torch.bool)
    certified[defined] = certificate.converged
    return {"error": error, "certified": certified, "refused": ~defined}


def summary(errors: Tensor, conditions: Tensor, eps: float) -> dict[str, float]:
    """Medians and extremes over the certified rows of all stacks of one depth."""
    if not len(errors):
        return {}
    ratio = errors / (eps * conditions)
    return {
        "error median": errors.median().item(),
        "error largest": errors.max().item(),
        "condition median": conditions.median().item(),
        "condition largest": conditions.max().item(),
        "error / (eps condition) median": ratio.median().item(),
        "error / (eps condition) largest": ratio.max().item(),
    }


def run(depth: int, stacks: int, leave_out: frozenset[str], dtype: torch.dtype) -> dict[str, float | int]:
    x = torch.randn(8, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows: list[dict[str, Tensor]] = []
    for seed in range(stacks):
        net, _ = stack(depth, 1000 * depth + seed, leave_out)
        rows.append(measure(net, x, dtype) | {"condition": condition_numbers(net, x)})
    joined = {key: torch.cat([row[key] for row in rows]) for key in rows[0]}
    certified, refused = joined["certified"], joined["refused"]
    counts = {
        "rows": len(certified),
        "certified": int(certified.sum()),
        "flagged": int((~certified & ~refused).sum()),
        "refused": int(refused.sum()),
    }
    return counts | summary(
        joined["error"][certified], joined["condition"][certified], torch.finfo(dtype).eps
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stacks", type=int, default=20, help="stacks for each depth")
    options = parser.parse_args()
    torch.set_num_threads(1)
    families = {"layers that take every number": saturating(), "all layers": frozenset[str]()}
    table = {}
    for family, leave_out in families.items():
        for dtype in (torch.float32, torch.float64):
            for depth in DEPTHS:
                row = run(depth, options.stacks, leave_out, dtype)
                table[f"{family}, {str(dtype)[6:]}, depth {depth}"] = row
                print(
                    f"{family:30} {str(dtype)[6:]} depth {depth:3}", {k: f"{v:.2g}" for k, v in row.items()}
                )
    RESULTS.parent.mkdir(exist_ok=True)
    report = {"torch": torch.__version__, "width": WIDTH, "stacks per depth": options.stacks, "table": table}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
