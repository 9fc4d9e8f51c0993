"""Claim: sampling from a masked autoregressive flow costs a few times a density, not D times.

Setting: affine layers with alternating orders and masked networks of two hidden layers with ReLU, random
weights, float32, one thread, no gradients. Process time of log_prob and of sampling, each the median of
interleaved rounds, and their ratio; zuko's flow of the same architecture beside it in the same rounds. The
sample of ours is compared with the one of one feature after the other, and put back into the flow.

    python benchmarks/autoregressive_sampling.py [--rounds 9]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import zuko
from torch import Tensor, nn

from preimage import Chain
from preimage.layers import Autoregressive
from preimage.nets import MaskedMLP

RESULTS = Path(__file__).parent / "results" / "autoregressive_sampling.json"


class Setting(NamedTuple):
    """One size of flow and batch."""

    features: int
    transforms: int
    hidden: int
    batch: int


SETTINGS = [
    Setting(16, 8, 128, 1024),
    Setting(64, 4, 128, 1024),
    Setting(256, 2, 128, 1024),
    Setting(256, 2, 256, 1024),
    Setting(16, 3, 64, 64),
    Setting(64, 3, 64, 64),
    Setting(256, 3, 64, 64),
]


def milliseconds(function: Callable[[], Any]) -> float:
    start = time.process_time()
    function()
    return 1000 * (time.process_time() - start)


def orders(setting: Setting) -> list[list[int]]:
    rising = list(range(setting.features))
    return [rising if i % 2 == 0 else rising[::-1] for i in range(setting.transforms)]


def ours(setting: Setting) -> Chain:
    hidden = (setting.hidden,) * 2
    chain = Chain(
        *[
            Autoregressive(MaskedMLP(setting.features, 2, hidden, order=order, activation=nn.ReLU))
            for order in orders(setting)
        ]
    )
    for parameter in chain.parameters():
        parameter.add_(0.02 * torch.randn_like(parameter))
    return chain


def log_prob(chain: Chain, x: Tensor) -> Tensor:
    z, log_det = chain.forward_and_log_det(x)
    return log_det - 0.5 * z.square().sum(1)


def one_by_one(chain: Chain, z: Tensor) -> Tensor:
    """The inverse by as many runs of each network as there are features."""
    for layer in reversed(list(chain)):
        x = torch.zeros_like(z)
        for _ in range(z.shape[1]):
            x, _ = layer.element_map.inverse_elements(z, layer.net(x))
        z = x
    return z


def measure(setting: Setting, rounds: int) -> dict[str, Any]:
    torch.manual_seed(0)
    chain = ours(setting)
    flow = zuko.flows.MAF(
        setting.features, transforms=setting.transforms, hidden_features=(setting.hidden,) * 2
    )
    x = torch.randn(setting.batch, setting.features)
    contenders: dict[str, Callable[[], Any]] = {
        "log_prob": lambda: log_prob(chain, x),
        "sample": lambda: chain.inverse(torch.randn_like(x)),
        "zuko log_prob": lambda: flow().log_prob(x),
        "zuko sample": lambda: flow().sample((setting.batch,)),
    }
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, function in contenders.items():
            if name == "zuko sample" and turn > 3:  # it takes long, and three rounds settle it
                continue
            taken = milliseconds(function)
            if turn:
                found[name].append(taken)
    z = x[:64]
    back = chain.inverse(z)
    medians = {f"{name} ms": statistics.median(times) for name, times in found.items()}
    return {
        **setting._asdict(),
        **medians,
        "ratio": medians["sample ms"] / medians["log_prob ms"],
        "zuko ratio": medians["zuko sample ms"] / medians["zuko log_prob ms"],
        "difference from one by one": (back - one_by_one(chain, z)).abs().max().item(),
        "round trip": (chain(back) - z).abs().max().item(),
    }


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for setting in SETTINGS:
        rows.append(measure(setting, options.rounds))
        print({key: round(value, 6) for key, value in rows[-1].items()}, flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"torch": torch.__version__, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
