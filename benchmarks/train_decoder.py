"""Trains the picture decoder of EfficientNet-Lite0 that ships with the library.

    python benchmarks/train_decoder.py FOLDER --debian DEBIAN --minutes 60

FOLDER receives the decoder; DEBIAN holds the unpacked packages with photographs, see decoder_pictures.py. Everything
is chosen on the validation photographs; those of the test split are not read. A run goes on for a given time, the
learning rate falling to zero (the shipped weights come from three runs, each going on from the last after 1041 and 2428
steps with a fresh schedule); every few minutes the averaged weights are written to FOLDER/state.pt.
"""

import argparse
import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from decoder_training import Material, follow, optimiser_of, set_rate
from frozen_lite import taps
from preimage import Calibration, invert
from preimage.decoders.blueprint import Blueprint
from preimage.decoders.network import DecoderNetwork
from preimage.decoders.owner import Owner
from preimage.decoders.sketching import sketch, standardise
from preimage.decoders.train import finished, log_error

WIDTHS = (32, 64, 96, 160, 192)
RATE, AVERAGE, CLIP = 1.0e-3, 0.99, 1.0
SKETCHES = 40  # batches of 16 crops that the linear sketches are fitted to
SHALLOW = {"stem": 0.1, "block 0": 0.3, "block 1": 1, "block 2": 1, "block 3": 1, "block 4": 1}
MIDDLE = {f"block {i}": 1 for i in range(5, 11)}
DEEP = {**{f"block {i}": 1 for i in range(11, 16)}, "head": 1, "pooled": 1, "logits": 1}
# taps with their weights, how many of them a step trains, crops and their side; later all crops are whole
GROUPS = ((SHALLOW, 2, 4, 128), (MIDDLE, 2, 3, 160), (DEEP, 3, 3, 224))
WHOLE_AFTER = 0.85  # share of the time


class Training(Material):
    """The decoder in the making.

    Args:
        arguments: of the command line.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__(arguments.debian)
        self.arguments = arguments
        shapes = {label: tuple(y.shape[1:]) for label, y in self.frozen(self.zoo.example).items()}
        torch.manual_seed(0)
        self.network = DecoderNetwork(Blueprint((3, 224, 224), shapes, WIDTHS))
        self.network.to(memory_format=torch.channels_last)
        self.card = {"photographs": len(self.photographs), "objects": len(self.crops.objects)}

    def sketch(self) -> None:
        """The closed-form start."""
        standardise(self.network, self.frozen, self.inputs(48, 224))
        drawn = (self.inputs(16, 224) for _ in range(SKETCHES))
        sketch(self.network, self.frozen, drawn, self.mirrored())
        self.average = copy.deepcopy(self.network)
        self.network.sketches.requires_grad_(False)
        trained = [p for p in self.network.parameters() if p.requires_grad]
        self.optimiser = optimiser_of(trained, RATE)

    def mirrored(self) -> Iterator[Tensor]:
        """The validation photographs as they are, and mirrored."""
        yield self.held
        yield self.held.flip(3)

    def step(self, number: int, done: float) -> None:
        """One step, at a share of the time that is done."""
        set_rate(self.optimiser, RATE, number, done)
        self.optimiser.zero_grad(set_to_none=True)
        for weights, several, count, side in GROUPS:
            whole = done > WHOLE_AFTER
            x = self.inputs(2, 224) if whole and side < 224 else self.inputs(count, side)
            features = self.frozen(x, self.choose(weights, several))
            for label, y in features.items():
                with torch.autocast("cpu", torch.bfloat16):
                    painted = self.network(y, label, tuple(x.shape[2:]))
                (log_error(painted, x).mean() / several).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.optimiser.step()
        follow(self.average, self.network, AVERAGE, number)

    def choose(self, weights: dict[str, float], count: int) -> list[str]:
        left, chosen = dict(weights), []
        for _ in range(count):
            chosen += self.random.choices(list(left), list(left.values()))
            del left[chosen[-1]]
        return chosen

    @torch.no_grad()
    def quality(self) -> dict[str, float]:
        """Mean PSNR on the validation photographs by tap."""
        unit, found = self.zoo.preprocessing.to_unit, {}
        for label, y in self.frozen(self.held).items():
            error = (unit(self.average(y, label)) - unit(self.held)).square().flatten(1).mean(1)
            found[label] = round(fmean((-10 * error.log10()).tolist()), 2)
        return found

    def run(self) -> None:
        begun, number, told = time.monotonic(), 0, 0.0
        while (passed := time.monotonic() - begun) < 60 * self.arguments.minutes:
            self.step(number, passed / (60 * self.arguments.minutes))
            number += 1
            if passed - told > 500:
                told = passed
                print(f"step {number}, {passed / 60:.0f} minutes: {json.dumps(self.quality())}", flush=True)
                torch.save(self.average.state_dict(), self.arguments.folder / "state.pt")
        self.card |= {"steps": number, "processor_seconds": round(time.process_time())}

    def save(self) -> None:
        """The averaged weights, with what is known about them."""
        graph_of = invert(self.zoo.module, self.zoo.example, taps=taps(self.zoo))
        values = {label: graph_of.node(label) for label in graph_of.taps}
        card = {"network": "efficientnet-lite0", **self.card, "validation_psnr": self.quality()}
        owner = Owner.of(graph_of.graph, values)
        decoder = finished(self.average, owner, self.frozen, self.mirrored(), card)
        decoder = decoder.measured_on(Calibration(self.held), self.frozen)
        decoder.save(self.arguments.folder / "efficientnet-lite0")
        print(json.dumps(decoder.card, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="receives the decoder")
    parser.add_argument("--debian", type=Path, default=Path("/"), help="where the packages are unpacked")
    parser.add_argument("--minutes", type=float, default=60, help="of training")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    training = Training(arguments)
    training.sketch()
    print(f"sketches: {json.dumps(training.quality())}", flush=True)
    training.run()
    training.save()


if __name__ == "__main__":
    main()
