"""How well pictures come back from every depth of EfficientNet-Lite0, by every method, on the same pictures.

    python benchmarks/depth_curve.py                 # all taps, all methods: about an hour of one core
    python benchmarks/depth_curve.py --quick         # three taps, few crops: two minutes
    python benchmarks/depth_curve.py --table         # prints the table from the JSON file

The four test photographs were never used to choose anything. All others calibrate. Rows are written as they
are measured. Seconds are process time of one thread.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gradient_inversion import gradient_inversion
from plain_ridge import plain_ridge
from preimage import zoo
from preimage.capture.interpret import evaluate
from preimage.gallery.calibration import crops
from preimage.gallery.metrics import feature_error, pairwise_distance, psnr, ssim
from preimage.gallery.yardsticks import mean_colour, shrink_and_enlarge, spatial_size
from preimage.inverse.calibration import Calibration
from preimage.inverse.inverse import Inverse
from preimage.inverse.invert import calibrate, invert

RESULT = Path(__file__).parent / "results" / "depth_curve.json"
TEST = ("chelsea", "flower", "quokka", "cheetah2")
TUNING = ("astronaut", "lion")  # calibration pictures on which the baseline is tuned
TUNED_AT = ("block 0", "block 4", "block 10", "pooled")
SETTINGS = ((0.02, 0.5), (0.05, 0.5), (0.05, 3.0), (0.05, 20.0))  # (rate, smoothness) of Adam
QUICK = ("block 0", "block 4", "pooled")


class Bench:
    """The network, the pictures and the inverse."""

    def __init__(self, each: int) -> None:
        self.network = zoo.load("efficientnet-lite0")
        photographs = {p.name: p.read() for p in zoo.pictures()}
        prepared = {name: self.network.preprocess(p) for name, p in photographs.items()}
        self.test, self.tuning = (torch.stack([prepared[n] for n in names]) for names in (TEST, TUNING))
        others = {name: p for name, p in photographs.items() if name not in TEST}
        self.crops, names = crops(others, self.network.preprocessing, each)
        scene = {p.name: p.source for p in zoo.pictures()}
        order = {source: i for i, source in enumerate(dict.fromkeys(scene[n] for n in names))}
        self.groups = torch.tensor([order[scene[n]] for n in names])
        self.inverse = invert(self.network.module, self.network.example, taps=self.network.taps)
        self.distance = pairwise_distance(self.unit(self.test))

    def unit(self, x: Tensor) -> Tensor:
        """Inputs as pictures in 0..1."""
        return self.network.preprocessing.to_unit(x).clamp(0, 1)

    def features(self, tap: str) -> Callable[[Tensor], Tensor]:
        """The network up to a tap, differentiable."""
        graph, name = self.inverse.graph, self.inverse.node(tap)
        return lambda x: evaluate(graph, {graph.inputs[0]: x}, {name: None})[name]

    def scores(self, x: Tensor, tap: str, seconds: float, truth: Tensor | None = None) -> dict:
        """Both fidelities of every picture."""
        truth = self.test if truth is None else truth
        pictures, found = self.unit(truth), self.unit(x)
        with torch.no_grad():
            f = self.features(tap)
            feature = feature_error(f(self.network.preprocessing.from_unit(found)), f(truth))
        away = (pictures - found).flatten(1).norm(dim=1) / (self.distance or 1.0)
        rows = {
            "psnr": psnr(pictures, found),
            "ssim": ssim(pictures, found),
            "picture_error": away,
            "feature_error": feature,
        }
        values = {name: [round(float(v), 4) for v in row] for name, row in rows.items()}
        return {**values, "seconds_per_picture": round(seconds / len(truth), 4)}


def timed(call: Callable[[], Tensor]) -> tuple[Tensor, float]:
    begun = time.process_time()
    return call(), time.process_time() - begun


def tuned(bench: Bench, steps: int) -> dict[str, tuple[float, float]]:
    """The best setting of Adam at a few depths, on calibration pictures."""
    best = {}
    for tap in TUNED_AT:
        f = bench.features(tap)
        with torch.no_grad():
            y = f(bench.tuning)
        quality = {}
        for rate, smoothness in SETTINGS:
            x = adam(bench, tap, y, steps, (rate, smoothness))
            quality[rate, smoothness] = statistics.fmean(bench.scores(x, tap, 0, bench.tuning)["psnr"])
        best[tap] = max(quality, key=quality.__getitem__)
        print(f"tuned at {tap}: {quality}", flush=True)
    return best


def adam(bench: Bench, tap: str, y: Tensor, steps: int, setting: tuple[float, float]) -> Tensor:
    shape = tuple(bench.test.shape[1:])
    rate, smoothness = setting
    f = bench.features(tap)
    return gradient_inversion(f, y, bench.network.box, shape, steps=steps, rate=rate, smoothness=smoothness)


def nearest(tap: str, taps: list[str]) -> str:
    return min(TUNED_AT, key=lambda t: abs(taps.index(t) - taps.index(tap)))


def yardsticks(bench: Bench, tap: str, y: Tensor) -> dict[str, dict]:
    pictures, back = bench.unit(bench.test), bench.network.preprocessing.from_unit
    size = spatial_size(tuple(y.shape[1:]))
    average = bench.crops.mean((0, 2, 3), keepdim=True)[0].expand_as(bench.test)
    return {
        "shrink and enlarge": bench.scores(back(shrink_and_enlarge(pictures, size)), tap, 0),
        "own mean colour": bench.scores(back(mean_colour(pictures)), tap, 0),
        "calibration mean colour": bench.scores(average, tap, 0),
    }


def row(bench: Bench, inverse: Inverse, tap: str, arguments: argparse.Namespace) -> dict:
    f = bench.features(tap)
    with torch.no_grad():
        y = f(bench.test)
    methods = yardsticks(bench, tap, y)
    x, seconds = timed(lambda: inverse.calibrated(y, tap)[0])
    methods["calibrated"] = bench.scores(x, tap, seconds)
    begun = time.process_time()
    x, certificate = inverse.solve(y, tap, max_products=arguments.products)
    methods["refined"] = bench.scores(x, tap, time.process_time() - begun)
    methods["refined"]["products"] = certificate.iterations.tolist()
    if not arguments.no_ridge:
        with torch.no_grad():
            x = plain_ridge(f, bench.crops, bench.groups, y)
        methods["plain ridge"] = bench.scores(x, tap, 0)
    return {"tap": tap, "shape": list(y.shape[1:]), "methods": methods}


def run(arguments: argparse.Namespace) -> None:
    bench = Bench(6 if arguments.quick else 24)
    taps = list(bench.inverse.taps)
    chosen = [t for t in taps if not arguments.quick or t in QUICK]
    begun = time.process_time()
    labels = {tap: bench.inverse.node(tap) for tap in chosen}
    decoders = calibrate(bench.inverse.graph, labels, Calibration(bench.crops, bench.groups))
    report = {
        "test": TEST,
        "calibration_seconds": round(time.process_time() - begun, 1),
        "calibration_crops": len(bench.crops),
        "adam_steps": arguments.steps,
        "rows": [],
    }
    inverse = Inverse(bench.inverse.graph, labels, decoders)
    for tap in chosen:
        report["rows"].append(row(bench, inverse, tap, arguments))
        write(report)
        print(line(report["rows"][-1]), flush=True)
    if arguments.steps:
        against(bench, report, taps, arguments.steps)


def against(bench: Bench, report: dict, taps: list[str], steps: int) -> None:
    """Add the gradient inversion to every row."""
    best = tuned(bench, steps)
    report["adam_settings"] = {
        tap: dict(zip(("rate", "smoothness"), s, strict=True)) for tap, s in best.items()
    }
    for entry in report["rows"]:
        tap = entry["tap"]
        f = bench.features(tap)
        with torch.no_grad():
            y = f(bench.test)
        setting = best[nearest(tap, taps)]
        x, seconds = timed(lambda tap=tap, y=y, setting=setting: adam(bench, tap, y, steps, setting))
        methods = entry["methods"]
        methods["Adam and TV"] = bench.scores(x, tap, seconds)
        ours = {m: methods[m]["seconds_per_picture"] for m in ("calibrated", "refined")}
        slow = methods["Adam and TV"]["seconds_per_picture"]
        entry["times_faster"] = {m: round(slow / max(s, 1e-4)) for m, s in ours.items()}
        write(report)
        print(line(entry), flush=True)


def line(entry: dict) -> str:
    cells = [
        f"{name} {np.mean(found['psnr']):.1f}/{100 * np.mean(found['feature_error']):.0f}%"
        for name, found in entry["methods"].items()
    ]
    return f"{entry['tap']:>9}  " + "  ".join(cells)


def write(report: dict) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three taps and few crops")
    parser.add_argument("--table", action="store_true", help="print the table of the last run")
    parser.add_argument("--no-ridge", action="store_true", help="leave the plain ridge decoder out")
    parser.add_argument("--steps", type=int, default=200, help="of Adam; 0 leaves it out")
    parser.add_argument("--products", type=int, default=20, help="of a refinement")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(line(entry) for entry in json.loads(RESULT.read_text())["rows"]))
        return
    torch.set_num_threads(1)
    run(arguments)


if __name__ == "__main__":
    main()
