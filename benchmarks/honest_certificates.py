"""Claim: no chain of layers returns a wrong inverse silently.

10,000 random pairs of a chain (float32, 6 features, depth 1 to 16, weights x1 or x4) and an input (ordinary,
x1e3, x1e6, one coordinate of 1e6, or holding NaN; images of the chain, or arbitrary values). Every inverse is
asked for with its certificate. The truth is the inverse of the same chain and the same y in float64. A
silent failure is a certified row whose relative error exceeds 1 %, or whose truth float64 itself cannot
certify.

    python benchmarks/honest_certificates.py [--pairs 10000]
"""

from __future__ import annotations

import argparse
import collections
import copy
import json
import time
import warnings
from pathlib import Path

import torch
from torch import Tensor

from preimage.bijection import Chain
from preimage.certify import certify, where_defined
from preimage.testing.random_chains import random_chain

RESULTS = Path(__file__).parent / "results" / "honest_certificates.json"
FEATURES, ROWS, WRONG = 6, 4, 1e-2


def make_input(kind: str) -> Tensor:
    x = torch.randn(ROWS, FEATURES)
    if kind == "x1e3":
        return 1e3 * x
    if kind == "x1e6":
        return 1e6 * x
    if kind == "one of 1e6":
        x[:, 0] = 1e6
    if kind == "NaN":
        x[:, 1] = float("nan")
    return x


KINDS = ("ordinary", "x1e3", "x1e6", "one of 1e6", "NaN")


def relative_error(actual: Tensor, wanted: Tensor) -> Tensor:
    wanted = wanted.double()
    return (actual.double() - wanted).norm(dim=1) / wanted.norm(dim=1).clamp_min(1e-300)


@torch.no_grad()
def judge(chain: Chain, value: Tensor, *, image: bool) -> collections.Counter[str]:
    """Count the rows of one batch by what happened to them."""
    y = where_defined(chain.forward, value, None)[0] if image else value
    x, certificate = chain.certified_inverse(y, on_error="nan")
    wide = copy.deepcopy(chain).double()
    truth, violation = where_defined(wide.inverse, y.double(), None)
    sure = certify(wide, truth, y.double(), violation=violation, tolerance=1e-3).converged
    wrong = ~(relative_error(x, truth) <= WRONG)
    accepted = certificate.converged
    plain = where_defined(chain.inverse, y, None)[0]
    plain_wrong = ~(relative_error(plain, truth) <= WRONG) & plain.isfinite().all(1) & sure
    return collections.Counter(
        {
            "rows": len(y),
            "certified": int(accepted.sum()),
            "flagged": int((~accepted).sum()),
            "flagged although right": int((~accepted & sure & (relative_error(plain, truth) <= WRONG)).sum()),
            "wrong without a certificate": int(plain_wrong.sum()),
            "silent: certified, error above 1 %": int((accepted & sure & wrong).sum()),
            "silent: certified, float64 is unsure": int((accepted & ~sure).sum()),
            "error above the reported bound": int(
                (accepted & sure & (relative_error(x, truth) > certificate.error_bound.clamp_min(1e-6))).sum()
            ),
        }
    )


def run(pairs: int) -> dict[str, object]:
    torch.manual_seed(0)
    table: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    examples: list[str] = []
    for pair in range(pairs):
        weights = (1.0, 4.0)[pair % 2]
        kind = KINDS[(pair // 2) % len(KINDS)]
        image = (pair // (2 * len(KINDS))) % 2 == 0
        chain = random_chain(FEATURES, int(torch.randint(1, 17, ())), weights=weights)
        found = judge(chain, make_input(kind), image=image)
        table[f"{kind}, weights x{weights:g}"].update(found)
        table["all"].update(found)
        if found["silent: certified, error above 1 %"] + found["silent: certified, float64 is unsure"]:
            examples.append(
                f"pair {pair}: {kind}, image={image}: {[type(layer).__name__ for layer in chain]}"
            )
    names = list(table["all"])
    rows = {key: {name: counts[name] for name in names} for key, counts in sorted(table.items())}
    return {"pairs": pairs, "rows_per_pair": ROWS, "table": rows, "silent": examples}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000)
    pairs = parser.parse_args().pairs
    torch.set_num_threads(1)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = run(pairs)
    report |= {"torch": torch.__version__, "process_seconds": time.process_time() - start}
    print(json.dumps(report, indent=1))
    if pairs >= 10_000:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
