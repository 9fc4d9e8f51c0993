"""The shipped picture decoder of EfficientNet-Lite0 at every depth, on photographs that nothing was chosen on.

    python benchmarks/picture_prior.py --debian DEBIAN              # some minutes of one core
    python benchmarks/picture_prior.py --debian DEBIAN --products 0 # one shot alone: a minute
    python benchmarks/picture_prior.py --debian DEBIAN --taps "block 2" # go on from the last result

DEBIAN holds the unpacked packages with photographs, see decoder_pictures.py. *Sketch* is the linear part of the
decoder alone, fitted in closed form to the same photographs. Goals are differences of mean PSNR to a yardstick that
sees the picture: shrunk to the tap's own size and enlarged, or its mean colour. *Refined* spends at most 24 products
with the transposed Jacobian, *thorough* at most 200, on taps where pictures gain by them; from the stem both are the
exact route. Rows are written as they are measured; seconds are process time of one thread: a minute a photograph.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from decoder_pictures import inputs
from frozen_lite import Frozen, taps
from preimage import decoders, invert, zoo
from preimage.gallery.metrics import feature_error, psnr
from preimage.gallery.yardsticks import mean_colour, shrink_and_enlarge, spatial_size

RESULT = Path(__file__).parent / "results" / "picture_prior.json"
FIRST = (
    "stem",
    "block 0",
    "block 2",
    "block 4",
    "block 7",
    "block 10",
    "block 14",
    "pooled",
    "logits",
    "block 15",
)
DEEPENED = ("block 2", "block 4", "block 0", "block 7", "block 10")  # taps at which many products pay
BATCH = 8


class Bench:
    """Network, decoder and held-out photographs."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.network = zoo.load("efficientnet-lite0")
        inverse = invert(self.network.module, self.network.example, taps=taps(self.network))
        self.frozen = Frozen(self.network)
        self.attached = decoders.load(arguments.decoder).attach(inverse)
        photographs = inputs(arguments.split, arguments.debian, self.network.preprocessing)
        self.names = list(photographs)[: arguments.pictures]
        self.x = torch.stack([photographs[name] for name in self.names])
        self.unit = self.network.preprocessing.to_unit(self.x)

    def features(self, x: Tensor, tap: str) -> Tensor:
        return torch.cat([self.frozen(part, [tap])[tap] for part in x.split(BATCH)])

    def scores(self, found: Tensor, y: Tensor, tap: str) -> dict:
        """Both fidelities of pictures ``(N, 3, H, W)`` in 0..1, the first few of all."""
        seen = self.features(self.network.preprocessing.from_unit(found), tap)
        rows = {"psnr": psnr(self.unit[: len(y)], found), "feature_error": feature_error(seen, y)}
        return {name: [round(float(v), 4) for v in row] for name, row in rows.items()}

    def picture_scores(self, found: Tensor) -> dict:
        """Fidelity of pictures alone, for yardsticks."""
        return {"psnr": [round(float(v), 4) for v in psnr(self.unit[: len(found)], found)]}

    def one_shot(self, y: Tensor, tap: str) -> dict[str, dict]:
        """Yardsticks, sketch and painted answer."""
        to_unit, network = self.network.preprocessing.to_unit, self.attached.decoder.network
        painted, seconds = timed(lambda: torch.cat([self.attached.decoder(p, tap) for p in y.split(BATCH)]))
        with torch.no_grad():
            sketch = network.parts(y, tap)[0] * network.spread + network.average
        size = spatial_size(tuple(y.shape[1:]))
        found = {
            "shrink and enlarge": shrink_and_enlarge(self.unit, size),
            "own mean colour": mean_colour(self.unit),
            "sketch": to_unit(sketch),
            "painted": to_unit(painted),
        }
        scores = {name: self.picture_scores(unit) for name, unit in found.items()}
        for name in ("sketch", "painted"):
            scores[name] = self.scores(found[name], y, tap)
        scores["painted"]["seconds_per_picture"] = round(seconds / len(y), 4)
        return scores

    def refined(self, tap: str, products: int, count: int) -> dict:
        """Of the first few pictures."""
        y = self.features(self.x[:count], tap)
        parts, seconds = timed(
            lambda: [self.attached.solve(p, tap, max_products=products) for p in y.split(BATCH)]
        )
        found = torch.cat([x for x, _ in parts])
        used = torch.cat([certificate.iterations for _, certificate in parts])
        scores = self.scores(self.network.preprocessing.to_unit(found), y, tap)
        return {
            **scores,
            "products": used.tolist(),
            "seconds_per_picture": round(seconds / len(y), 4),
        }


def timed(call: Callable) -> tuple:
    begun = time.process_time()
    return call(), time.process_time() - begun


def row(bench: Bench, tap: str) -> dict:
    y = bench.features(bench.x, tap)
    return {"tap": tap, "shape": list(y.shape[1:]), "methods": bench.one_shot(y, tap)}


def line(entry: dict) -> str:
    cells = [
        f"{name} {fmean(found['psnr']):.2f}/{100 * fmean(found.get('feature_error', [0])):.0f}%"
        for name, found in entry["methods"].items()
    ]
    return f"{entry['tap']:>9}  " + "  ".join(cells)


def write(report: dict, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--debian", type=Path, default=Path("/"), help="where the packages are unpacked")
    parser.add_argument("--decoder", default="efficientnet-lite0", help="name or folder")
    parser.add_argument("--split", default="test", help="test, or validation while choosing")
    parser.add_argument("--pictures", type=int, default=16, help="only the first few")
    parser.add_argument("--products", type=int, default=24, help="of a refinement; 0 leaves it out")
    parser.add_argument("--thorough", type=int, default=200, help="products of the thorough one; 0: none")
    parser.add_argument("--refined", type=int, default=16, help="photographs that are refined as well")
    parser.add_argument("--taps", nargs="+", help="only these, the others as they are in the result")
    parser.add_argument("--result", type=Path, default=RESULT, help="JSON file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(arguments)
    report = {"pictures": bench.names, "products": arguments.products, "thorough": arguments.thorough}
    report["card"] = bench.attached.decoder.card
    again = arguments.taps or bench.attached.taps
    kept = [] if arguments.taps is None else json.loads(arguments.result.read_text())["rows"]
    by_tap = {entry["tap"]: entry for entry in kept}
    report["rows"] = list(by_tap.values())
    for tap in again:
        by_tap[tap] = row(bench, tap)
        report["rows"] = list(by_tap.values())
        write(report, arguments.result)
        print(line(by_tap[tap]), flush=True)
    work = [("refined", tap, arguments.products) for tap in dict.fromkeys((*FIRST, *by_tap)) if tap in again]
    work[6:6] = [("thorough", tap, arguments.thorough) for tap in DEEPENED if tap in again]
    for name, tap, products in work:
        if products:
            by_tap[tap]["methods"][name] = bench.refined(tap, products, arguments.refined)
            write(report, arguments.result)
            print(line(by_tap[tap]), flush=True)


if __name__ == "__main__":
    main()
