"""What made-up pictures are worth where photographs to calibrate on are few: deep taps of EfficientNet-Lite0.

    python benchmarks/synthetic_calibration.py             # at 64 pixels, a few minutes of one core

Setting: the closed-form decoders of a calibrated inverse, fitted to the packaged calibration photographs alone, to
made-up pictures alone, and to both; the packaged demo photographs are held out. Made up are

- *dead leaves*: discs of random size (density r^-3), place and colour that hide each other (Lee, Mumford and Huang
  2001, https://doi.org/10.1023/A:1011109015675);
- *1/f*: Gaussian noise whose amplitude falls as 1 / frequency, colours strongly correlated (Field 1987,
  https://doi.org/10.1364/JOSAA.4.002379);
- *class pictures*: what the network itself takes for its classes, data-free.

Nothing was chosen on the held-out photographs. Every made-up picture is a source of its own. Calibrated results all.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

import preimage as pi
from preimage import zoo
from preimage.gallery.metrics import psnr
from saved_inverse import pictures

RESULT = Path(__file__).parent / "results" / "synthetic_calibration.json"
TAPS = ("block 2", "block 4", "block 7", "block 10", "block 14", "pooled")
SMALLEST, LARGEST, LEAVES = 0.02, 0.5, 300  # radii relative to the side; discs of a picture


def dead_leaves(count: int, side: int, generator: torch.Generator) -> Tensor:
    """Pictures ``(count, 3, side, side)`` in 0..1; later discs hide earlier ones."""
    at = torch.arange(side) / side
    found = torch.rand(count, 3, 1, 1, generator=generator).expand(-1, -1, side, side).clone()
    for _ in range(LEAVES):
        share, row, column = torch.rand(3, count, 1, 1, generator=generator)
        radius = (SMALLEST**-2 + share * (LARGEST**-2 - SMALLEST**-2)) ** -0.5  # density r^-3
        inside = (at[:, None] - row) ** 2 + (at - column) ** 2 < radius**2  # (count, side, side)
        grey, tint = torch.rand(count, 1, generator=generator), torch.randn(count, 3, generator=generator)
        colour = (grey + 0.1 * tint).clamp(0, 1)[:, :, None, None]
        found = torch.where(inside[:, None], colour, found)
    return found


def pink_noise(count: int, side: int, generator: torch.Generator) -> Tensor:
    """Pictures ``(count, 3, side, side)`` in 0..1 of mean 0.45 and deviation 0.22 before clipping."""
    rows, columns = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)
    amplitude = 1 / (rows**2 + columns**2).sqrt().clamp_min(1 / side)
    noise = torch.randn(count, 3, side, side, generator=generator)
    mixed = 0.9 * noise[:, :1] + 0.3 * noise
    x = torch.fft.irfft2(torch.fft.rfft2(mixed) * amplitude, s=(side, side))
    x = (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True)
    return (0.45 + 0.22 * x).clamp(0, 1)


def class_pictures(network: zoo.Network, count: int, generator: torch.Generator) -> Tensor:
    """Inputs that the network takes for random classes."""
    inverse = pi.invert(network.module, network.example)
    labels = torch.randperm(1000, generator=generator)[:count]
    found = [inverse.class_preimage(label[None], seed=i)[0] for i, label in enumerate(labels)]
    return torch.cat(found)


def scores(network: zoo.Network, x: Tensor, sources: Tensor, shown: Tensor) -> dict:
    """Mean PSNR on held-out pictures at every tap, and the time to calibrate."""
    begun = time.process_time()
    chosen = {tap: network.taps[tap] for tap in TAPS}
    inverse = pi.invert(network.module, network.example, pi.Calibration(x, sources), taps=chosen)
    seconds, unit = time.process_time() - begun, network.preprocessing.to_unit
    features = inverse.features(shown)
    found = {
        tap: fmean(psnr(unit(shown), unit(inverse.calibrated(y, tap)[0]).clamp(0, 1)).tolist())
        for tap, y in features.items()
    }
    return {"pictures": len(x), "seconds": round(seconds, 1), "psnr": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="side of the pictures in pixels")
    parser.add_argument("--made-up", type=int, default=100, help="pictures of each kind")
    parser.add_argument("--classes", type=int, default=20, help="class pictures, seconds each")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    network, side = zoo.load("efficientnet-lite0", arguments.size), arguments.size
    shown = torch.stack([network.preprocess(picture.read()) for picture in zoo.pictures("demo")])
    photographs = pictures(network)
    of_photographs = torch.arange(len(photographs)) // 2
    from_unit = network.preprocessing.from_unit
    made_up = {
        "dead leaves": from_unit(dead_leaves(arguments.made_up, side, generator)),
        "1/f": from_unit(pink_noise(arguments.made_up, side, generator)),
    }
    if arguments.classes:
        made_up["class pictures"] = class_pictures(network, arguments.classes, generator)
    sets = {"photographs": (photographs, of_photographs)}
    for name, x in made_up.items():
        both = torch.cat([of_photographs, of_photographs.max() + 1 + torch.arange(len(x))])
        sets[name] = x, torch.arange(len(x))
        sets[f"photographs and {name}"] = torch.cat([photographs, x]), both
    report: dict = {"size": side, "held out": len(shown), "sets": {}}
    for name, (x, sources) in sets.items():
        report["sets"][name] = scores(network, x, sources, shown)
        RESULT.write_text(json.dumps(report, indent=1) + "\n")
        print(name, {tap: round(value, 2) for tap, value in report["sets"][name]["psnr"].items()}, flush=True)


if __name__ == "__main__":
    main()
