"""Claim: a calibrated inverse is saved and loaded again in seconds, and answers bit by bit as before.

Setting: EfficientNet-Lite0, calibrated on crops of the packaged calibration photographs at 64 px; all taps of
the zoo. Process time of one thread.

    python benchmarks/saved_inverse.py [--size 64]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import preimage as pi
from preimage import zoo

RESULTS = Path(__file__).parent / "results" / "saved_inverse.json"


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = work()
    return found, time.process_time() - start


def pictures(network: zoo.Network) -> torch.Tensor:
    found = [network.preprocess(photograph.read()) for photograph in zoo.pictures("calibration")]
    return torch.stack([x for picture in found for x in (picture, picture.flip(2))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="side of the pictures in pixels")
    size = parser.parse_args().size
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0", size)
    x = pictures(network)
    data = pi.Calibration(x, torch.arange(len(x)) // 2)
    model, example = network.module, network.example
    inverse, calibrating = timed(lambda: pi.invert(model, example, data, taps=network.taps))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "saved"
        _, saving = timed(lambda: inverse.save(folder))
        again, loading = timed(lambda: pi.load_inverse(folder, model, example))
        written = {file.name: file.stat().st_size for file in folder.iterdir()}
    features = inverse.features(x[:2])
    same = all(
        torch.equal(again.calibrated(y, t)[0], inverse.calibrated(y, t)[0]) for t, y in features.items()
    )
    report = {
        "torch": torch.__version__,
        "size": size,
        "pictures": len(x),
        "taps": len(features),
        "seconds": {"calibrate": calibrating, "save": saving, "load": loading},
        "bytes": written,
        "bytes of the network": sum(t.numel() * t.element_size() for t in model.state_dict().values()),
        "answers are the same bit by bit": same,
    }
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
