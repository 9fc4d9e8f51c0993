"""Claim: the numerical inverse of a monotone network is right or flagged, also far outside of the data.

Setting: two autoregressive layers of each kind as they are initialised, 4 features, 128 normal rows times 1,
100 and 1e6, float32 and float64; no gradients. A row is *silent* when its inverse is finite (and, for ours,
certified) but further than 1e-2 from what was put in, relative to its size. Rows whose forward image is not
finite count as flagged. The peers are run as their documentation shows; they give no certificate, so a finite
answer counts as a claim. torchflows' layer works in float32 and is left out where it is not installed.

    python benchmarks/monotone_honesty.py [--rows 128]
"""

from __future__ import annotations

import argparse
import collections
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import zuko
from torch import Tensor, nn

from preimage import Chain
from preimage.layers import Autoregressive, BlockAutoregressive, DeepSigmoidMap, UnconstrainedMonotoneMap
from preimage.nets import MaskedMLP

RESULTS = Path(__file__).parent / "results" / "monotone_honesty.json"
FEATURES, WRONG = 4, 1e-2
Trip = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Gives what came back, and which rows are claimed to be right."""


def reversed_order(place: int) -> list[int]:
    rising = list(range(FEATURES))
    return rising if place == 0 else rising[::-1]


def autoregressive(make: Callable[[], DeepSigmoidMap | UnconstrainedMonotoneMap]) -> Chain:
    layers = []
    for place in range(2):
        element_map = make()
        net = MaskedMLP(FEATURES, element_map.count, order=reversed_order(place))
        layers.append(Autoregressive(net, element_map))
    return Chain(*layers)


def woken(chain: Chain) -> Chain:
    """With weights like those of the peers: ours start as (nearly) the identity, which would be too easy."""
    for module in chain.modules():
        for parameter in module.parameters(recurse=False):
            if not parameter.any():
                nn.init.normal_(parameter, std=0.1)
    return chain


def our_trip(chain: Chain) -> Trip:
    def trip(x: Tensor) -> tuple[Tensor, Tensor]:
        back, certificate = chain.certified_inverse(chain(x), on_error="warn")
        return back, certificate.converged

    return trip


def zuko_trip(flow: zuko.lazy.Flow) -> Trip:
    def trip(x: Tensor) -> tuple[Tensor, Tensor]:
        transform = flow().transform
        back = transform.inv(transform(x))
        return back, back.isfinite().all(1)

    return trip


def torchflows_trip(dtype: torch.dtype) -> Trip | None:
    if dtype != torch.float32:
        return None
    try:
        from torchflows.bijections.finite.autoregressive.architectures import UMNNMAF
    except ImportError:
        return None
    layer = UMNNMAF((FEATURES,), n_layers=2)

    def trip(x: Tensor) -> tuple[Tensor, Tensor]:
        back = layer.inverse(layer.forward(x)[0])[0]
        return back, back.isfinite().all(1)

    return trip


def contenders(dtype: torch.dtype) -> dict[str, Trip]:
    torch.manual_seed(0)
    found = {
        "deep sigmoids": our_trip(woken(autoregressive(DeepSigmoidMap)).to(dtype)),
        "integral of a positive network": our_trip(woken(autoregressive(UnconstrainedMonotoneMap)).to(dtype)),
        "block autoregressive": our_trip(
            woken(Chain(BlockAutoregressive(FEATURES), BlockAutoregressive(FEATURES))).to(dtype)
        ),
        "zuko NAF": zuko_trip(zuko.flows.NAF(FEATURES, transforms=2).to(dtype)),
        "zuko UNAF": zuko_trip(zuko.flows.UNAF(FEATURES, transforms=2).to(dtype)),
    }
    peer = torchflows_trip(dtype)
    return found if peer is None else {**found, "torchflows UMNNMAF": peer}


def verdicts(trip: Trip, x: Tensor) -> dict[str, float]:
    back, claimed = trip(x)
    error = (back - x).norm(dim=1) / x.norm(dim=1)
    right = error <= WRONG
    counts = collections.Counter(
        {
            "right": int((claimed & right).sum()),
            "flagged": int((~claimed).sum()),
            "silent": int((claimed & ~right).sum()),
        }
    )
    largest = error[claimed].nan_to_num(nan=torch.inf).max().item() if claimed.any() else 0.0
    return {**counts, "largest silent or accepted error": largest}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    report: dict[str, dict[str, dict[str, float] | str]] = {}
    for dtype in (torch.float32, torch.float64):
        for name, trip in contenders(dtype).items():
            for scale in (1.0, 1e2, 1e6):
                generator = torch.Generator().manual_seed(1)
                x = scale * torch.randn(options.rows, FEATURES, dtype=dtype, generator=generator)
                try:
                    row: dict[str, float] | str = verdicts(trip, x)
                except (RuntimeError, ValueError) as error:
                    row = f"raises {type(error).__name__}"
                report.setdefault(name, {})[f"{str(dtype).removeprefix('torch.')}, inputs x {scale:g}"] = row
                print(name, dtype, scale, row, flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"torch": torch.__version__, "contenders": report}, indent=1) + "\n")


if __name__ == "__main__":
    main()
