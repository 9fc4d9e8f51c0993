"""One-shot and refined inverses against 200 steps of gradient inversion (Adam with total variation), at every tap.

    python benchmarks/depth_curve.py --steps 0      # first: our own answers
    python benchmarks/against_adam.py               # then: Adam on two of the same photographs, ten minutes

The baseline gets the better of two settings *on the reported pictures themselves*, which favours it. Seconds are
process time of one thread for one picture; the time of trying the other setting is not counted.
"""

import json
import time
from pathlib import Path
from statistics import fmean

import torch

from gradient_inversion import gradient_inversion
from preimage import zoo
from preimage.capture.interpret import evaluate
from preimage.gallery.metrics import psnr
from preimage.inverse.invert import invert

RESULTS = Path(__file__).parent / "results"
PICTURES = ("chelsea", "quokka")
SETTINGS = ((0.02, 0.5), (0.05, 3.0))  # (rate, smoothness)
STEPS = 200


def main() -> None:
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0")
    inverse = invert(network.module, network.example, taps=network.taps)
    photographs = {p.name: p for p in zoo.pictures()}
    x = torch.stack([network.preprocess(photographs[name].read()) for name in PICTURES])
    report = {"pictures": PICTURES, "steps": STEPS, "settings": SETTINGS, "rows": []}
    for tap in inverse.taps:
        report["rows"].append({"tap": tap, **compare(network, inverse, x, tap)})
        print(report["rows"][-1], flush=True)
        (RESULTS / "against_adam.json").write_text(json.dumps(report, indent=1) + "\n")


def compare(network: zoo.Network, inverse: object, x: torch.Tensor, tap: str) -> dict:
    graph, name = inverse.graph, inverse.node(tap)
    unit = network.preprocessing.to_unit

    def features(v: torch.Tensor) -> torch.Tensor:
        return evaluate(graph, {graph.inputs[0]: v}, [name])[name]

    with torch.no_grad():
        y = features(x)
    tried = {}
    for rate, smoothness in SETTINGS:
        begun = time.process_time()
        found = gradient_inversion(
            features, y, network.box, tuple(x.shape[1:]), steps=STEPS, rate=rate, smoothness=smoothness
        )
        seconds = (time.process_time() - begun) / len(x)
        decibels = psnr(unit(x).clamp(0, 1), unit(found).clamp(0, 1)).tolist()
        tried[rate, smoothness] = (fmean(decibels), decibels, seconds)
    best = max(tried, key=lambda setting: tried[setting][0])
    return {
        "setting": best,
        "psnr": [round(v, 2) for v in tried[best][1]],
        "seconds_per_picture": round(tried[best][2], 2),
    }


if __name__ == "__main__":
    main()
