"""Run a pretrained network backwards on one photograph, from a few depths, in three ways.

    python examples/invert_pictures.py --taps "stem,block 2" --size 224

Prints, for each depth and each way, how close the reconstruction is to the photograph (PSNR) and how close
its features are to those that were inverted, and says which answers are proven. The full gallery, with
pictures, is ``preimage invert``.
"""

import argparse

import torch

import preimage as pi
from preimage import gallery, zoo


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--network", default="efficientnet-lite0", choices=zoo.names())
    parser.add_argument("--picture", default="chelsea", choices=[p.name for p in zoo.pictures("demo")])
    parser.add_argument("--taps", default="stem,block 2,block 7", help="comma-separated depths")
    parser.add_argument("--size", type=int, default=224, help="side of the network's input in pixels")
    parser.add_argument("--crops", type=int, default=12, help="crops per calibration photograph")
    parser.add_argument("--products", type=int, default=40, help="Jacobian products of the refinement")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    options = arguments(given)
    network = zoo.load(options.network, options.size)
    photograph = next(p for p in zoo.pictures("demo") if p.name == options.picture)
    x = network.preprocess(photograph.read())[None]  # (1, 3, H, W)

    # The calibrated inverse is estimated from other photographs; crops of one photograph stay in one group.
    others = {p.name: p.read() for p in zoo.pictures("calibration")}
    pictures, sources = gallery.crops(others, network.preprocessing, options.crops)
    numbers = {name: number for number, name in enumerate(others)}
    calibration = pi.Calibration(pictures, torch.tensor([numbers[source] for source in sources]))

    taps = {label: network.taps[label] for label in options.taps.split(",")}
    inverse = pi.invert(network.module, network.example, calibration, taps=taps)
    print(inverse.report.ledger)

    unit = network.preprocessing.to_unit
    for tap, y in inverse.features(x).items():
        calibrated, evidence = inverse.calibrated(y, tap=tap)
        answers = {
            "data-free": inverse.data_free(y, tap=tap),
            "calibrated": (calibrated, evidence),
            "refined": inverse.solve(y, tap=tap, start=calibrated, max_products=options.products),
        }
        for way, (answer, certificate) in answers.items():
            picture = float(gallery.psnr(unit(x), unit(answer)))
            features = float(gallery.feature_error(inverse.features(answer, taps=[tap])[tap], y))
            print(f"{tap:>10} {way:>11}: {picture:5.1f} dB, feature error {features:8.2e}; {certificate}")


if __name__ == "__main__":
    main()
