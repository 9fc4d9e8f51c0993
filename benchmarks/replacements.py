"""Claim: replacements that start at their closed form and are trained on data improve a network's inverse.

Setting: the 1,797 digits of scikit-learn, 8 x 8, in 0..1. A residual network with batch norm and a gate is
trained to classify 1,200 of them; its replacements are fitted to the same ones, 20 % of these held out for
their table; the last 597 are the test digits of everything below. The merges, pools and noise are measured on
Gaussian data and on the network's own feature maps. Process time of one thread.

    python benchmarks/replacements.py                   # about 4 minutes of one core
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import preimage as pi
from preimage import replace
from preimage.replace.comparison import feature_error, relative_error
from preimage.training import FitSettings

RESULTS = Path(__file__).parent / "results" / "replacements.json"


class Block(nn.Module):
    """A residual block with batch norm, swish and a squeeze-and-excite gate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.squeeze, self.excite = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def branch(self, x: Tensor) -> Tensor:
        h = functional.silu(self.norm(self.first(x)))
        h = h * torch.sigmoid(self.excite(functional.silu(self.squeeze(h.mean((2, 3), keepdim=True)))))
        return self.second(h)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def trained(x: Tensor, label: Tensor) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, stride=2, padding=1), nn.SiLU(), Block(12), Block(12), nn.AdaptiveAvgPool2d(1)
    ).extend([nn.Flatten(), nn.Linear(12, 10)])
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(25):
        for rows in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            functional.cross_entropy(net(x[rows]), label[rows]).backward()
            optimiser.step()
    return net.eval()


def digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    x, label = load_digits(return_X_y=True)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return torch.tensor(x, dtype=torch.float32)[order].view(-1, 1, 8, 8) / 16, torch.tensor(label)[order]


def errors(inverse: nn.Module, net: nn.Module, test: Tensor, mean: Tensor) -> dict[str, float]:
    with torch.no_grad():
        y = net(test)
        found = torch.cat([inverse(part) for part in y.split(64)])
        return {"picture": relative_error(found, test, mean), "features": feature_error(net(found), y)}


def chain(net: nn.Sequential, train: Tensor, test: Tensor, epochs: int) -> dict[str, Any]:
    """Before and after, from the logits, the pooled features and the last block."""
    before, found = replace.fingerprint(net), {}
    for name, tap in {"logits": None, "pooled": "4", "last block": "3"}.items():
        begun = time.process_time()
        settings = FitSettings(epochs=epochs, batch_size=64, progress=False)
        inverse = replace.fit_replacements(net, train, tap=tap, settings=settings)
        seconds = time.process_time() - begun
        part = nn.Sequential(*list(net)[: 7 if tap is None else int(tap) + 1])
        found[name] = {
            "table": inverse.table.to_dict(),
            "test": errors(inverse, part, test, train.mean(0)),
            "data-free, test": data_free(part, test[:100], train.mean(0)),
            "steps": inverse.report().splitlines(),
            "seconds": seconds,
        }
    return {"network unchanged bit by bit": replace.fingerprint(net) == before, "starts": found}


def data_free(part: nn.Module, test: Tensor, mean: Tensor) -> dict[str, float]:
    inverse = pi.invert(part.eval(), test[:1])
    with torch.no_grad():
        y = part(test)
    answer = inverse.data_free(y)[0]
    assert isinstance(answer, Tensor)
    with torch.no_grad():
        return {"picture": relative_error(answer, test, mean), "features": feature_error(part(answer), y)}


def merges(net: nn.Sequential, train: Tensor, test: Tensor) -> dict[str, Any]:
    """Errors of the operands, relative to their variance, before and after fitting; the toy of the seed."""
    torch.manual_seed(1)
    a, b = torch.randn(100_000, 1).double(), 0.2 * torch.randn(100_000, 1).double()
    toy = replace.AddReplacement(2, 1).double()
    even = (toy.split(a + b)[0] - a).square().mean().item()
    toy.fit([(a[:50_000], b[:50_000])])
    fitted = (toy.split(a + b)[0] - a)[50_000:].square().mean().item()
    found: dict[str, Any] = {"gaussian add": {"half each": even, "fitted": fitted, "bound": 0.04 / 1.04}}
    operands = {name: [one.double() for one in streams(net, x)] for name, x in (("t", train), ("s", test))}
    kinds = {
        "add": replace.AddReplacement,
        "average": replace.AverageReplacement,
        "multiply": replace.MultiplyReplacement,
        "max": replace.MaximumReplacement,
    }
    for name, kind in kinds.items():
        pair = 2 if name == "multiply" else 0
        merge = kind(2, 12).double()
        fresh = operands["s"][pair : pair + 2]
        before = split_errors(merge, fresh)
        merge.fit([operands["t"][pair : pair + 2]])
        found[name] = {"before": before, "after": split_errors(merge, fresh)}
    return found


@torch.no_grad()
def streams(net: nn.Sequential, x: Tensor) -> tuple[Tensor, ...]:
    """Skip and branch of the first block; its gated values and the gate, spread over the positions."""
    block = net[2]
    assert isinstance(block, Block)
    skip = net[1](net[0](x))
    h = functional.silu(block.norm(block.first(skip)))
    gate = torch.sigmoid(block.excite(functional.silu(block.squeeze(h.mean((2, 3), keepdim=True)))))
    return skip, block.branch(skip), h, gate.expand_as(h)


def split_errors(merge: replace.MergeReplacement, operands: list[Tensor]) -> dict[str, Any]:
    merged = merge(*operands)
    found = merge.split(merged)
    size = [(o - o.mean()).square().mean() for o in operands]
    return {
        "operands": [
            ((f - o).square().mean() / s).sqrt().item() for f, o, s in zip(found, operands, size, strict=True)
        ],
        "merged again": (merge(*found) - merged).abs().max().item(),
    }


@torch.no_grad()
def pools(net: nn.Sequential, train: Tensor, test: Tensor) -> dict[str, Any]:
    """Fan-out, template and sample of both global pools on the last feature map."""
    maps = {name: net[:4](x).double() for name, x in (("train", train), ("test", test))}
    x, found = maps["test"], {}
    for name, kind in {"average": replace.AveragePoolReplacement, "max": replace.MaxPoolReplacement}.items():
        pool = kind(12, tuple(x.shape[2:])).double()
        y = pool(x)
        answers = {"fan-out": pool.inverse(y)}
        pool.fit([maps["train"]])
        answers |= {"estimate": pool.inverse(y), "sample": pool.sample(y, torch.Generator().manual_seed(0))}
        found[name] = {key: pool_figures(pool, answer, x) for key, answer in answers.items()}
        found[name]["data"] = pool_figures(pool, x, x)
    return found


def pool_figures(pool: replace.PoolReplacement, found: Tensor, x: Tensor) -> dict[str, float]:
    return {
        "mse": (found - x).square().mean().item(),
        "variance within a map": found.var((2, 3)).mean().item(),
        "|pool(answer) - y|": (pool(found) - pool(x)).abs().max().item(),
    }


def amortised(net: nn.Sequential, train: Tensor, epochs: int) -> dict[str, Any]:
    """Closed form against trained decoder, tap by tap, on the held-out share."""
    inverse = pi.invert(net, train[:1], taps={"first": "1", "block 2": "3", "pooled": "4", "logits": "6"})
    settings = FitSettings(epochs=epochs, batch_size=64, progress=False)
    begun = time.process_time()
    decoders = replace.fit_decoders(inverse, pi.Calibration(train, batch=64), settings=settings)
    tables = {tap: table.to_dict() for tap, table in decoders.tables.items()}
    return {"tables": tables, "seconds": time.process_time() - begun}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=60)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)
    x, label = digits()
    train, test = x[:1200], x[1200:]
    net = trained(train, label[:1200])
    with torch.no_grad():
        accuracy = (net(test).argmax(1) == label[1200:]).double().mean().item()
    report: dict[str, Any] = {"torch": torch.__version__, "accuracy": accuracy, "epochs": epochs}
    parts = {
        "merges": lambda: merges(net, train, test),
        "pools": lambda: pools(net, train, test),
        "chain": lambda: chain(net, train, test, epochs),
        "decoders": lambda: amortised(net, train, epochs),
    }
    for name, part in parts.items():
        report[name] = part()
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
        print(name, json.dumps(report[name]), flush=True)


if __name__ == "__main__":
    main()
