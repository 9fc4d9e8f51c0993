"""Claim: what a calibrated inverse of EfficientNet-Lite0 costs, to make, to keep and to run.

Setting: calibrated at all taps of the zoo on the packaged calibration photographs and their mirror images.
Process time of one thread; latencies are medians over repetitions of one picture, each against the forward
pass up to the same tap in the same run. State is what is written to disk.

    python benchmarks/calibration_cost.py --size 64     # a minute
    python benchmarks/calibration_cost.py --size 224    # about five minutes
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import preimage as pi
from preimage import zoo
from saved_inverse import pictures, timed

RESULTS = Path(__file__).parent / "results" / "calibration_cost.json"


def latency(work: Callable[[], Any], repetitions: int) -> float:
    """Median process time in seconds, after one run to warm up."""
    work()
    return statistics.median(timed(work)[1] for _ in range(repetitions))


def taps(inverse: pi.Inverse, x: torch.Tensor, repetitions: int) -> dict[str, dict[str, float]]:
    found = {}
    for tap, y in inverse.features(x).items():
        decoder = inverse.decoders[tap]
        forward = latency(lambda tap=tap: inverse.features(x, [tap]), repetitions)
        with torch.no_grad():
            backward = latency(lambda decoder=decoder, y=y: decoder(y), repetitions)
        found[tap] = {"forward": forward, "backward": backward, "ratio": backward / forward}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="side of the pictures in pixels")
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0", arguments.size)
    x = pictures(network)
    data = pi.Calibration(x, torch.arange(len(x)) // 2)
    inverse, seconds = timed(lambda: pi.invert(network.module, network.example, data, taps=network.taps))
    with tempfile.TemporaryDirectory() as place:
        inverse.save(Path(place) / "saved")
        size = sum(file.stat().st_size for file in (Path(place) / "saved").iterdir())
    report = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    report["torch"] = torch.__version__
    report[str(arguments.size)] = {
        "pictures": len(x),
        "seconds to calibrate": seconds,
        "bytes of the saved inverse": size,
        "taps": taps(inverse, x[:1], arguments.repetitions),
        "date": time.strftime("%Y-%m-%d"),
    }
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report[str(arguments.size)], indent=1))


if __name__ == "__main__":
    main()
