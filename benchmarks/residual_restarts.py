"""The nine residual blocks of EfficientNet-Lite0 solved by Newton's method with local restarts, at any size.

    python benchmarks/residual_restarts.py --pixels 48     # writes results/residual_restarts.json
    python benchmarks/residual_restarts.py --pixels 224 --blocks 12 13 --pictures 1

As residual_blocks.py: y is the true output of a block in float64, the start is the ridge estimate fitted on other
photographs. Newton steps come from elimination of strips of rows, which is exact, so maps may be larger. ``newton``
is the residual where the first search ends, ``residual`` where the restarts do.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from preimage import zoo
from preimage.inverse.solvers.nonlinear.local_restarts import local_restarts
from residual_blocks import BLOCKS, TESTED, TOLERANCE, calibrated_start, features, relative
from residual_structure import MobileBlock

RESULT = Path(__file__).parent / "results" / "residual_restarts.json"


def solve(block: MobileBlock, truth: Tensor, y: Tensor, start: Tensor, restarts: int) -> dict[str, float]:
    begun = time.process_time()
    step = block.newton_step
    first, _ = local_restarts(block, y, start, tolerance=TOLERANCE, restarts=0, step=step)
    x, certificate = local_restarts(block, y, first, tolerance=TOLERANCE, restarts=restarts, step=step)
    return {
        "newton": relative(block(first), y),
        "residual": certificate.residual.item(),
        "steps": int(certificate.iterations),
        "input_error": relative(x, truth),
        "start_error": relative(start, truth),
        "cpu_seconds": round(time.process_time() - begun, 2),
    }


def loaded(pixels: int, pictures: int) -> tuple[nn.Module, dict, dict]:
    """The network, and inputs and outputs of its blocks at the photographs for fitting and for testing."""
    network = zoo.load("efficientnet-lite0")
    inputs = {p.name: network.preprocess(p.read()) for p in zoo.pictures()}
    inputs = {n: nn.functional.interpolate(x[None], pixels, mode="area") for n, x in inputs.items()}
    fitted = torch.cat([x for name, x in inputs.items() if name not in TESTED]).double()
    known = features(network.module.double(), torch.cat([fitted, fitted.flip(-1)]))
    return (
        network.module,
        known,
        features(network.module, torch.cat([inputs[n] for n in TESTED[:pictures]]).double()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--pixels", type=int, default=48)
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--blocks", type=int, nargs="*", default=BLOCKS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network, known, tested = loaded(options.pixels, options.pictures)
    for index in options.blocks:
        block, (x, y) = MobileBlock(network._blocks[index]), tested[index]
        starts = calibrated_start(known[index], y)
        for i in range(len(y)):
            with torch.no_grad():
                cell = solve(block, *(v[i : i + 1] for v in (x, y, starts)), options.restarts)
            record(options, index, TESTED[i], cell | {"unknowns": x[0].numel()})


def record(options: argparse.Namespace, block: int, picture: str, cell: dict[str, float]) -> None:
    """One more cell in the results; those measured before stay."""
    print(options.pixels, block, picture, json.dumps(cell), flush=True)
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    found |= {"torch": torch.__version__}
    size = found.setdefault("pixels", {}).setdefault(str(options.pixels), {})
    size.setdefault(str(block), {})[picture] = cell | {"restarts": options.restarts}
    RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
