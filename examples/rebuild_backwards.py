"""A pretrained network rebuilt backwards: every layer's inverse, and the whole network run both ways.

    python examples/rebuild_backwards.py                       # EfficientNet-Lite0 at 64 px: some minutes
    python examples/rebuild_backwards.py --network small       # a network with gates and swish: seconds

Prints one line a layer (kind of inverse, promise, exact or approximate), then, from the chosen taps and from
the logits, the forward output of the result against its target.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch.nn import functional

import preimage as pi
from preimage import replace, zoo


class Gated(nn.Module):
    """Inverted bottleneck with batch norm, swish, squeeze-and-excite gate and skip, as in EfficientNet."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 4 * channels
        self.expand = nn.Sequential(nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU())
        self.depth = nn.Sequential(
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide), nn.BatchNorm2d(wide), nn.SiLU()
        )
        self.squeeze, self.excite = nn.Conv2d(wide, channels, 1), nn.Conv2d(channels, wide, 1)
        self.project = nn.Sequential(nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The skip plus the gated branch."""
        h = self.depth(self.expand(x))
        gate = torch.sigmoid(self.excite(functional.silu(self.squeeze(h.mean((2, 3), keepdim=True)))))
        return x + self.project(h * gate)


def small() -> tuple[nn.Module, Tensor, list[str]]:
    """A network of this kind with random weights, inputs, and taps."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.SiLU(),
        Gated(8),
        nn.AdaptiveAvgPool2d(1),
    ).extend([nn.Flatten(), nn.Linear(8, 6)])
    return network.eval(), torch.rand(2, 3, 12, 12), ["2", "3"]


def main(arguments: list[str] | None = None) -> replace.Conversion:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--network", default="efficientnet-lite0", choices=("efficientnet-lite0", "small"))
    parser.add_argument("--size", type=int, default=64, help="side of the pictures in pixels")
    parser.add_argument("--taps", default="stem,block 0", help="of EfficientNet-Lite0, separated by commas")
    chosen = parser.parse_args(arguments)
    if chosen.network == "small":
        model, x, labels = small()
        inverse = pi.invert(model, x[:1], taps=labels)
    else:
        network = zoo.load(chosen.network, chosen.size)
        labels = chosen.taps.split(",")
        x = torch.stack([network.preprocess(picture.read()) for picture in zoo.pictures("demo")])
        inverse = pi.invert(network.module, network.example, taps={tap: network.taps[tap] for tap in labels})
    report = replace.conversion(inverse, x)
    print(report)
    print(f"{report.exact_share:.0%} of the steps back are exact on one side or both")
    return report


if __name__ == "__main__":
    main()
