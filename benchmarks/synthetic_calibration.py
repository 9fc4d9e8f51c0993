"""What made-up pictures are worth where photographs to calibrate on are few: deep taps of EfficientNet-Lite0.

    python benchmarks/synthetic_calibration.py --stamps FOLDER   # at 64 pixels, some minutes of one core
    python benchmarks/synthetic_calibration.py --kinds leaves noise   # some kinds; the rows of the others
    stay

Setting: the closed-form decoders of a calibrated inverse, fitted to the packaged calibration photographs
alone, to made-up pictures alone, and to both; the packaged demo photographs are held out. Made up are

- *dead leaves*: discs of random size (density r^-3), place and colour that hide each other (Lee, Mumford and
Huang
  2001, https://doi.org/10.1023/A:1011109015675);
- *1/f*: Gaussian noise whose amplitude falls as 1 / frequency, colours strongly correlated (Field 1987,
  https://doi.org/10.1364/JOSAA.4.002379);
- *class pictures*: what the network itself takes for its classes, data-free;
- *pasted stamps*: the calibration photographs with cut-out objects pasted on. FOLDER holds PNG pictures with
opacity,
  such as usr/share/tuxpaint/stamps of Debian's package tuxpaint-stamps-default (docs/picture_prior.md).

Nothing was chosen on the held-out photographs. Every made-up picture is a source of its own, except that one
with stamps is of the source of its photograph. Calibrated results all.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional

import preimage as pi
from decoder_pictures import cut_outs
from preimage import zoo
from preimage.gallery.metrics import psnr
from saved_inverse import pictures

RESULT = Path(__file__).parent / "results" / "synthetic_calibration.json"
TAPS = ("block 2", "block 4", "block 7", "block 10", "block 14", "pooled")
SMALLEST, LARGEST, LEAVES = 0.02, 0.5, 300  # radii relative to the side; discs of a picture
OBJECTS, SMALL, LARGE = 3, 0.25, 0.75  # stamps on a picture; their longer side relative to the picture's
KINDS = ("leaves", "noise", "classes", "stamps")


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


def pasted(pictures: Tensor, objects: list[Tensor], generator: torch.Generator) -> Tensor:
    """Pictures ``(N, 3, side, side)`` in 0..1 with objects at random places, up to a third of each outside."""
    found = pictures.clone()
    for picture in found:
        for number in torch.randint(len(objects), (OBJECTS,), generator=generator).tolist():
            share, row, column, mirror = torch.rand(4, generator=generator).tolist()
            length = round((SMALL + share * (LARGE - SMALL)) * picture.shape[1])
            stamp = resized(objects[number], length)
            paste(picture, stamp.flip(2) if mirror < 0.5 else stamp, row, column)
    return found


def resized(stamp: Tensor, length: int) -> Tensor:
    """A stamp ``(4, h, w)`` of bytes in 0..1, its longer side so long; colours weighed by their opacity."""
    height, width = (max(1, round(n * length / max(stamp.shape[1:]))) for n in stamp.shape[1:])
    x = stamp[None].float() / 255
    opacity = x[:, 3:]
    covered = torch.cat([x[:, :3] * opacity, opacity], 1)
    small = functional.interpolate(covered, (height, width), mode="area")[0]
    return torch.cat([small[:3] / small[3:].clamp_min(1e-3), small[3:]])


def paste(picture: Tensor, stamp: Tensor, row: float, column: float) -> None:
    """Put a stamp onto a picture, in place; row and column in 0..1 of where it may be."""
    side, sizes = picture.shape[1], stamp.shape[1:]
    first = [round(-n / 3 + at * (side - n / 3)) for n, at in zip(sizes, (row, column), strict=True)]
    rows, columns = (slice(max(t, 0), min(t + n, side)) for t, n in zip(first, sizes, strict=True))
    inside = [slice(s.start - t, s.stop - t) for s, t in zip((rows, columns), first, strict=True)]
    seen = stamp[:, inside[0], inside[1]]
    picture[:, rows, columns] += seen[3:] * (seen[:3] - picture[:, rows, columns])


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


def made_up(
    network: zoo.Network, arguments: argparse.Namespace, photographs: Tensor
) -> dict[str, tuple[Tensor, Tensor]]:
    """Name of a kind -> pictures and their sources; the pictures of one kind do not depend on which are asked for."""
    side, count, kinds = arguments.size, arguments.made_up, arguments.kinds
    preprocessing, generator = network.preprocessing, torch.Generator().manual_seed(0)
    leaves, noise = dead_leaves(count, side, generator), pink_noise(count, side, generator)
    own = len(photographs) // 2 + torch.arange(count)
    found = {}
    if "leaves" in kinds:
        found["dead leaves"] = preprocessing.from_unit(leaves), own
    if "noise" in kinds:
        found["1/f"] = preprocessing.from_unit(noise), own
    if "classes" in kinds:
        found["class pictures"] = (
            class_pictures(network, arguments.classes, generator),
            own[: arguments.classes],
        )
    if "stamps" in kinds:
        chosen = torch.arange(count) % len(photographs)  # photographs and their mirror images take turns
        whole, objects = preprocessing.to_unit(photographs[chosen]), list(cut_outs(arguments.stamps))
        x = pasted(whole, objects, torch.Generator().manual_seed(1))
        found["pasted stamps"] = preprocessing.from_unit(x), chosen // 2
    return found


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="side of the pictures in pixels")
    parser.add_argument("--made-up", type=int, default=100, help="pictures of each kind")
    parser.add_argument("--classes", type=int, default=12, help="class pictures, seconds each")
    parser.add_argument("--stamps", type=Path, help="folder of PNG pictures with opacity")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, help="all that can be made by default")
    arguments = parser.parse_args()
    able = [kind for kind in KINDS if kind != "stamps" or arguments.stamps]
    arguments.kinds = arguments.kinds or able
    if not set(arguments.kinds) <= set(able):
        parser.error("stamps need --stamps FOLDER")
    return arguments


def main() -> None:
    arguments = asked()
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0", arguments.size)
    shown = torch.stack([network.preprocess(picture.read()) for picture in zoo.pictures("demo")])
    photographs = pictures(network)
    sources = torch.arange(len(photographs)) // 2
    sets = {"photographs": (photographs, sources)}
    for name, (x, own) in made_up(network, arguments, photographs).items():
        sets[name] = x, own
        sets[f"photographs and {name}"] = torch.cat([photographs, x]), torch.cat([sources, own])
    report: dict = {"size": arguments.size, "held out": len(shown), "sets": {}}
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    if all(found.get(key) == report[key] for key in ("size", "held out")):
        report["sets"] = found["sets"]
    for name, (x, own) in sets.items():
        report["sets"][name] = scores(network, x, own, shown)
        RESULT.write_text(json.dumps(report, indent=1) + "\n")
        print(name, {tap: round(value, 2) for tap, value in report["sets"][name]["psnr"].items()}, flush=True)


if __name__ == "__main__":
    main()
