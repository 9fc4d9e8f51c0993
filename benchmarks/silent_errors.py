"""Claim: no chain returns a wrong inverse in silence: it is certified right, flagged, or refused.

Setting: random stacks of 2, 6, 12 and 24 layers drawn from the table of samples of the tests, on vectors of
24, in float32 and float64, as they are and with all parameters times 4; inputs are normal, times 1, 100,
and times 1e6, and one row of each batch holds a NaN. A row is *silent* when its inverse is certified, but is
further than 10 sqrt(eps) from the x that was put in, relative to its size. One sample is left out: torch's
own sigmoid transform clips its values, so that large inputs share one output. A residual layer around any
network, a contraction on the user's word, keeps its weights: times 4 the word is broken, and several inputs share
one output.

    python benchmarks/silent_errors.py [--pairs 10000]
"""

from __future__ import annotations

import argparse
import collections
import copy
import itertools
import json
import sys
from pathlib import Path

import torch
from torch import Tensor

from preimage import Chain
from preimage.certificate import relative_residual
from preimage.certify import where_defined

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "layers"))
from stacks import WIDTH, stack

RESULTS = Path(__file__).parent / "results" / "silent_errors.json"
LEFT_OUT = frozenset({"from transform, sigmoid"})
ON_A_WORD = "residual, any network"
SETTINGS = list(itertools.product((torch.float32, torch.float64), (1.0, 4.0), (1.0, 1e2, 1e6)))


def inputs(seed: int, scale: float, dtype: torch.dtype) -> Tensor:
    x = scale * torch.randn(4, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x[3, 0] = float("nan")
    return x.to(dtype)


@torch.no_grad()
def changed(net: Chain, dtype: torch.dtype, factor: float) -> Chain:
    net = copy.deepcopy(net).to(dtype)
    for parameter in net.parameters():
        parameter.mul_(factor)
    return net


@torch.no_grad()
def verdicts(net: Chain, x: Tensor) -> collections.Counter[str]:
    y, refused = where_defined(net.forward, x, None)
    defined = (refused == 0) & y.isfinite().all(1)
    back, certificate = net.certified_inverse(y[defined], on_error="nan")
    certified = certificate.converged
    is_right = relative_residual(back, x[defined]) < 10 * torch.finfo(x.dtype).eps ** 0.5
    return collections.Counter(
        {
            "refused, or no finite image": int((~defined).sum()),
            "flagged": int((~certified).sum()),
            "certified and right": int((certified & is_right).sum()),
            "silent": int((certified & ~is_right).sum()),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000, help="rows to invert")
    options = parser.parse_args()
    torch.set_num_threads(1)
    total: collections.Counter[str] = collections.Counter()
    silent: list[str] = []
    stacks = 0
    for seed, depth in ((seed, depth) for seed in itertools.count() for depth in (2, 6, 12, 24)):
        net, names = stack(depth, 10_000 * depth + seed, LEFT_OUT)
        stacks += 1
        for dtype, factor, scale in SETTINGS:
            if factor > 1 and ON_A_WORD in names:
                continue
            found = verdicts(changed(net, dtype, factor), inputs(seed, scale, dtype))
            total.update(found)  # unlike +=, this keeps the zeros
            if found["silent"]:
                silent.append(f"{dtype}, weights x {factor}, inputs x {scale}: {names}")
                print(silent[-1])
        if sum(total.values()) >= options.pairs:
            break
    print(dict(total))
    RESULTS.parent.mkdir(exist_ok=True)
    command = f"python benchmarks/silent_errors.py --pairs {options.pairs}"
    report = {"command": command, "torch": torch.__version__, "stacks": stacks}
    report |= {"rows": dict(total), "silent": silent}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
