"""The 15 six-fold expansions of EfficientNet-Lite0 (1x1 convolution, batch norm, ReLU6) run backwards.

    python benchmarks/expansions.py              # all packaged photographs, writes results/expansions.json
    python benchmarks/expansions.py --pictures 3 # the first three

From the true float32 activations, without any data. ``recovered`` is the share of positions whose block input
comes back within 1e-5 relative error, ``certified`` the share that the certificate calls exact,
``determined`` the share where the unsaturated rows have full rank: an upper limit for any method that sees
one position. ``certified_but_wrong`` must be 0. Times are CPU seconds of one thread.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from preimage import zoo
from preimage.inverse import linear as li
from preimage.inverse.solvers import Saturation, saturation_inverse

RESULT = Path(__file__).parent / "results" / "expansions.json"
KEYS = ("recovered", "certified", "determined")


def activations(network: nn.Module, x: Tensor) -> dict[int, tuple[Tensor, Tensor]]:
    """Block input and expansion output of blocks 1 to 15."""
    inputs, outputs, handles = {}, {}, []
    for index, block in enumerate(network._blocks):
        if hasattr(block, "_expand_conv"):
            handles.append(block.register_forward_pre_hook(lambda _, a, i=index: inputs.update({i: a[0]})))
            handles.append(
                block._bn0.register_forward_hook(lambda _, a, y, i=index: outputs.update({i: y.clamp(0, 6)}))
            )
    with torch.no_grad():
        network(x)
    for handle in handles:
        handle.remove()
    return {index: (inputs[index], outputs[index]) for index in inputs}


def expansion(block: nn.Module, x: Tensor, y: Tensor) -> li.AffineComposition:
    norm = block._bn0
    statistics_of_norm = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    return li.AffineComposition(
        [
            li.Convolution(block._expand_conv.weight, tuple(x.shape[1:])),
            li.BatchNorm(tuple(y.shape[1:]), *statistics_of_norm, eps=norm.eps),
        ]
    )


def measure(block: nn.Module, x: Tensor, y: Tensor) -> dict[str, float | int]:
    begun = time.process_time()
    found = saturation_inverse(expansion(block, x, y), Saturation(0, 6))(y)
    seconds = time.process_time() - begun
    error = (found.x - x).double().norm(dim=1) / x.double().norm(dim=1)
    return {
        "recovered": round((error <= 1e-5).double().mean().item(), 4),
        "certified": round(found.exact.double().mean().item(), 4),
        "determined": round((found.nullity == 0).double().mean().item(), 4),
        "certified_but_wrong": int((found.exact & (error > 1e-5)).sum()),
        "median_error": error.median().item(),
        "residual": float(found.certificate.residual),
        "cpu_seconds": round(seconds, 3),
    }


def summary(rows: dict[str, dict[int, dict]]) -> dict[str, object]:
    layers = {}
    for index in next(iter(rows.values())):
        cells = [row[index] for row in rows.values()]
        layers[index] = {key: {"median": statistics.median(c[key] for c in cells)} for key in KEYS}
        for key in KEYS:
            layers[index][key]["worst"] = min(c[key] for c in cells)
        layers[index]["pictures_at_95_percent"] = sum(c["recovered"] >= 0.95 for c in cells)
    cells = [cell for row in rows.values() for cell in row.values()]
    return {
        "layers": layers,
        "pictures": len(rows),
        "certified_but_wrong": sum(c["certified_but_wrong"] for c in cells),
        "cpu_seconds_all_layers_median": statistics.median(
            sum(c["cpu_seconds"] for c in row.values()) for row in rows.values()
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=None)
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0")
    rows = {}
    for photograph in zoo.pictures()[: parser.parse_args().pictures]:
        cells = activations(network.module, network.preprocess(photograph.read())[None])
        rows[photograph.name] = {
            index: measure(network.module._blocks[index], *pair) for index, pair in cells.items()
        }
        print(photograph.name, [cell["recovered"] for cell in rows[photograph.name].values()], flush=True)
    result = {
        "command": "python benchmarks/expansions.py",
        "torch": torch.__version__,
        "threads": 1,
        "summary": summary(rows),
        "cells": rows,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["summary"], indent=1))


if __name__ == "__main__":
    main()
