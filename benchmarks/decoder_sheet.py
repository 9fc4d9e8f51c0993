"""What the scripts that draw pictures of a picture decoder share: network, inverse, decoder and photograph."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import preimage as pi
from preimage import decoders, zoo


@dataclass(frozen=True)
class Shown:
    """What a sheet shows: a photograph x ``(1, 3, H, W)``, and who decodes it; ``out`` is the file to write."""

    network: zoo.Network
    inverse: pi.Inverse
    decoder: decoders.PictureDecoder
    x: Tensor
    out: Path


def shown(description: str | None, picture: str) -> Shown:
    """As the command line says.

    Args:
        description: of the script.
        picture: name of the packaged photograph unless another one is asked for.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--decoder", default="efficientnet-lite0", help="name or folder")
    parser.add_argument("--picture", default=picture, help="name of a packaged photograph")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = zoo.load("efficientnet-lite0")
    inverse = pi.invert(network.module, network.example, taps=network.taps)
    (photograph,) = (p for p in zoo.pictures() if p.name == arguments.picture)
    x = network.preprocess(photograph.read())[None]
    return Shown(network, inverse, decoders.load(arguments.decoder), x, arguments.out)
