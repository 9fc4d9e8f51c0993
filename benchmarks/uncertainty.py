"""How often the intervals of posteriors hold the truth, at every tap of EfficientNet-Lite0.

    python benchmarks/uncertainty.py --debian FOLDER                  # 128 photographs of public packages
    python benchmarks/uncertainty.py --debian FOLDER --sources packages  # as many of each package as of any other
    python benchmarks/uncertainty.py --sources zoo                    # the 17 packaged ones, of 16 sources
    python benchmarks/uncertainty.py --sources zoo --size 64 --quick  # a minute
    python benchmarks/uncertainty.py --debian FOLDER --data-free      # no pictures, at 64 pixels

Photographs are those of decoder_pictures.py. The intervals are calibrated on photographs of the split "train" and
measured on others, of packages from which nothing was chosen. `--taps` measures some taps again and keeps the others.
The shipped picture decoder has seen all of "train": its intervals are calibrated on those photographs of the other
splits that are not measured on. Coverage is that of all pixels and channels of a picture; its mean, spread and extremes
are over pictures. Seconds are process time of one thread.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor

import preimage as pi
from decoder_pictures import Entry, entries
from preimage import decoders, zoo
from preimage.gallery.calibration import crops
from preimage.inverse.posterior.measure import in_turn
from preimage.inverse.posterior.posterior import Posterior

RESULT = Path(__file__).parent / "results" / "uncertainty.json"
LEVELS = (0.5, 0.8, 0.9, 0.95)
UNTOUCHED = ("gcompris-qt-data", "opencv-doc", "palapeli-data", "zoo")
MOVED = ("stem", "block 2", "block 7", "pooled", "logits")
CROPS = 144
FREE = ("stem", "block 1", "block 4")
FREE_SIZE, FREE_PICTURES = 64, 3
SETTING, COST = ("calibration", "held out", "size"), ("seconds to calibrate", "bytes of state")
PARTS = ("taps", "painted", "moved")


class Bench:
    """The network and its pictures."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.network = zoo.load("efficientnet-lite0", arguments.size)
        self.each = 1 if arguments.quick else 0
        self.x, self.groups = self._calibration(arguments)
        demo = {p.name for p in zoo.pictures("demo")}
        held = [e for e in entries("test", "validation") if e.package in UNTOUCHED]
        held = [e for e in held if e.package != "zoo" or e.path in demo]
        held = [e for e in held if not arguments.quick or e.package == "zoo"]
        self.held = [entry.name for entry in held]
        self.left = [e for e in entries("test", "validation") if e not in held]
        self.test = torch.stack([self.network.preprocess(e.read(arguments.debian)) for e in held])

    def _calibration(self, arguments: argparse.Namespace) -> tuple[Tensor, Tensor]:
        if arguments.sources == "zoo":
            photographs = zoo.pictures("calibration")
            read = {p.name: p.read() for p in photographs}
            sources = {p.name: p.source for p in photographs}
        else:
            oldest = entries("train")[:390:3]  # figures stay comparable
            chosen = oldest if arguments.sources == "train" else balanced(CROPS)
            read = {e.name: e.read(arguments.debian) for e in chosen}
            sources = {name: name for name in read}
        each = self.each or max(1, CROPS // len(read))
        x, names = crops(read, self.network.preprocessing, each)
        order = {source: n for n, source in enumerate(dict.fromkeys(sources.values()))}
        return x, torch.tensor([order[sources[name]] for name in names])


def balanced(count: int) -> list[Entry]:
    """Training photographs, as many of each package, or resource file of one, as of any other."""
    listed = entries("train")
    kinds = [e.path.partition("#")[0] if "#" in e.path else e.package for e in listed]
    number = {kind: n for n, kind in enumerate(dict.fromkeys(kinds))}
    chosen = in_turn(torch.tensor([number[kind] for kind in kinds]), count)
    return [listed[n] for n in sorted(chosen.tolist())]


class Record:
    """A section of the file of results, which grows tap by tap.

    Taps of an earlier run in the same setting stay until they are measured again. The cost is that of the run
    that calibrated the most.
    """

    def __init__(self, file: Path, name: str, order: list[str], *, written: bool) -> None:
        self.file, self.name, self.order, self.written = file, name, order, written
        self.report: dict[str, Any] = {}

    def add(self, part: str, tap: str, row: dict) -> None:
        """A row of a part of the report; written at once."""
        self.report.setdefault(part, {})[tap] = row
        if self.written:
            found = json.loads(self.file.read_text()) if self.file.exists() else {}
            found[self.name] = self._merged(found.get(self.name, {}))
            self.file.write_text(json.dumps(found, indent=1) + "\n")

    def _merged(self, old: dict) -> dict:
        if any(old.get(key) != self.report.get(key) for key in SETTING):
            return self.report
        dearer = max(old, self.report, key=lambda run: run.get("bytes of state", 0))
        cost = {key: dearer[key] for key in COST if key in dearer}
        parts = {part: old.get(part, {}) | self.report.get(part, {}) for part in PARTS}
        ordered = {
            part: {tap: rows[tap] for tap in self.order if tap in rows} for part, rows in parts.items()
        }
        return self.report | cost | {part: rows for part, rows in ordered.items() if rows}


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.process_time()
    return work(), time.process_time() - begun


Ask = Callable[[Tensor, str], Posterior]


def coverage(ask: Ask, x: Tensor, features: list[dict[str, Tensor]], tap: str) -> dict:
    """How many numbers of each picture lie in their intervals, and how wide these are."""
    inside: dict[float, list[float]] = {level: [] for level in LEVELS}
    widths, errors, seconds = [], [], 0.0
    for picture, values in zip(x.split(1), features, strict=True):
        posterior, spent = timed(lambda y=values[tap]: ask(y, tap))
        seconds += spent
        errors.append((posterior.mean - picture).square().mean().sqrt().item())
        for level in LEVELS:
            low, high = posterior.interval(level)
            inside[level].append(((low <= picture) & (picture <= high)).double().mean().item())
        low, high = posterior.interval(0.9)
        widths.append((high - low).mean().item())
    found = {str(level): [round(v, 4) for v in values] for level, values in inside.items()}
    return {
        "coverage": found,
        "width": round(fmean(widths), 4),
        "root mean square error": round(fmean(errors), 4),
        "seconds": round(seconds / len(x), 4),
        "mode": posterior.mode,
        "evidence": posterior.certificate.message,
    }


def moved(inverse: pi.Inverse, x: Tensor, tap: str, count: int) -> dict:
    """Draws before and after they were moved to f(x) = y."""
    y = inverse.features(x, [tap])[tap]
    posterior = inverse.posterior(y, tap)
    generator = torch.Generator().manual_seed(0)
    before = inverse.evidence(posterior.draw(count, generator), y.repeat_interleave(count, 0), tap, None)
    generator.manual_seed(0)
    (samples, certificate), seconds = timed(lambda: posterior.sample(count, generator, max_products=25))
    away = (samples - posterior.mean.repeat_interleave(count, 0)).flatten(1).square().mean(1).sqrt()
    spread = posterior.standard_deviation.flatten(1).square().mean(1).sqrt().repeat_interleave(count)
    low, high = (end.repeat_interleave(count, 0) for end in posterior.interval(0.9))
    return {
        "residual of draws": round(before.residual.mean().item(), 5),
        "residual of samples": round(certificate.residual.mean().item(), 6),
        "distance over deviation": round((away / spread).mean().item(), 3),
        "inside 90 %": round(((low <= samples) & (samples <= high)).double().mean().item(), 4),
        "seconds each": round(seconds / len(samples), 2),
    }


def line(tap: str, row: dict) -> str:
    values = {level: row["coverage"][str(level)] for level in LEVELS}
    cells = [f"{level:.0%} {fmean(v):.1%} ({stdev(v):.1%})" for level, v in values.items()]
    return f"{tap:>9}  " + "  ".join(cells) + f"  width {row['width']:.3f}"


def main() -> None:
    arguments = asked()
    torch.set_num_threads(1)
    (data_free if arguments.data_free else calibrated)(arguments)


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--debian", type=Path, default=Path("/"), help="where the packages are unpacked")
    parser.add_argument("--sources", choices=("zoo", "train", "packages"), default="train")
    parser.add_argument("--size", type=int, default=224, help="side of the pictures in pixels")
    parser.add_argument("--taps", help="comma-separated; all by default")
    parser.add_argument("--data-free", action="store_true", help="members of preimages alone")
    parser.add_argument("--quick", action="store_true", help="few crops, three pictures; nothing is written")
    return parser.parse_args()


def calibrated(arguments: argparse.Namespace) -> None:
    """Intervals of a calibrated inverse and, for the training photographs, of the shipped decoder."""
    bench = Bench(arguments)
    network, data = bench.network, pi.Calibration(bench.x, bench.groups)
    wanted = arguments.taps.split(",") if arguments.taps else list(network.taps)
    taps = {tap: network.taps[tap] for tap in wanted}
    inverse, seconds = timed(lambda: pi.invert(network.module, network.example, data, taps=taps))
    record = Record(RESULT, arguments.sources, list(network.taps), written=not arguments.quick)
    record.report |= described(bench, inverse, seconds)
    state = record.report["bytes of state"]
    print(f"{seconds:.0f} s to calibrate on {len(bench.x)} crops, {state / 1e6:.0f} MB", flush=True)
    features = [inverse.features(picture) for picture in bench.test.split(1)]
    measure(record, "taps", inverse.posterior, bench.test, features)
    if arguments.sources == "train" and not arguments.quick:
        attached = decoders.load("efficientnet-lite0").attach(inverse)
        left = torch.stack([network.preprocess(e.read(arguments.debian)) for e in bench.left])
        measure(record, "painted", attached.measured_on(left).posterior, bench.test, features)
        for tap in (tap for tap in MOVED if tap in inverse.taps):
            record.add("moved", tap, moved(inverse, bench.test[:2], tap, 2))
            print(tap, record.report["moved"][tap], flush=True)


def described(bench: Bench, inverse: pi.Inverse, seconds: float) -> dict:
    """The setting, and what calibrating cost."""
    states = [d.state_dict().values() for d in inverse.decoders.values()]
    return {
        "calibration": {"crops": len(bench.x), "sources": int(bench.groups.max()) + 1},
        "seconds to calibrate": round(seconds, 1),
        "bytes of state": sum(t.numel() * t.element_size() for state in states for t in state),
        "held out": bench.held,
        "size": bench.test.shape[-1],
    }


def measure(
    record: Record,
    part: str,
    ask: Ask,
    x: Tensor,
    features: list[dict[str, Tensor]],
    taps: Sequence[str] = (),
) -> None:
    """Coverage at every tap into a part of the report."""
    for tap in taps or features[0]:
        row = coverage(ask, x, features, tap)
        print(line(tap, row), flush=True)
        record.add(part, tap, row)


def data_free(arguments: argparse.Namespace) -> None:
    """Members of preimages: no picture but the ones that are measured on is read."""
    network = zoo.load("efficientnet-lite0", FREE_SIZE)
    inverse = pi.invert(network.module, network.example, taps=network.taps)
    held = [e for e in entries("test") if e.package in UNTOUCHED and e.package != "zoo"]
    held = held[:: -(-len(held) // FREE_PICTURES)]
    x = torch.stack([network.preprocess(e.read(arguments.debian)) for e in held])
    record = Record(RESULT, "data-free", list(network.taps), written=not arguments.quick)
    record.report |= {"held out": [e.name for e in held], "size": FREE_SIZE}
    taps = arguments.taps.split(",") if arguments.taps else FREE
    measure(record, "taps", inverse.posterior, x, [inverse.features(picture) for picture in x.split(1)], taps)


if __name__ == "__main__":
    main()
