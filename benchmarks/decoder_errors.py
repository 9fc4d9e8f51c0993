"""Measures how the shipped picture decoder errs, and writes that into its folder: what its intervals rest on.

    python benchmarks/decoder_errors.py src/preimage/decoders/assets/efficientnet-lite0 --debian DEBIAN

The photographs are those of the split "validation", which the decoder was not trained on. Its weights stay as they are.
train_decoder.py does the same for new weights; half a minute.
"""

import argparse
from pathlib import Path

import torch

from decoder_pictures import inputs
from frozen_lite import Frozen
from preimage import Calibration, decoders, zoo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the decoder; it is replaced")
    parser.add_argument("--debian", type=Path, default=Path("/"), help="where the packages are unpacked")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0")
    held = torch.stack(list(inputs("validation", arguments.debian, network.preprocessing).values()))
    decoder = decoders.load(arguments.folder).measured_on(Calibration(held), Frozen(network))
    decoder.save(arguments.folder)
    for tap, model in decoder.error_models.items():
        print(f"{tap:>9}  {model.sources} photographs, 90 % within {100 * model.uncertainty:.1f} points")


if __name__ == "__main__":
    main()
