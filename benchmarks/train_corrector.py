"""Trains the corrector that ships with the picture decoder of EfficientNet-Lite0.

    python benchmarks/train_corrector.py FOLDER --debian DEBIAN --minutes 24 26 14

FOLDER receives decoder and corrector; DEBIAN holds the unpacked packages with photographs, see decoder_pictures.py. The
first stage trains corrections of what is painted, on crops; the second and third, on whole pictures, corrections before
and after a short search as well. Learning rates fall to zero in each. Everything is chosen on the validation
photographs; those of the test split are not read. For the weights that ship the first stage was stopped after half of
its schedule, and decoder and corrector computed in bfloat16.
"""

import argparse
import copy
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from decoder_training import Material, follow, optimiser_of, set_rate
from frozen_lite import taps
from preimage import decoders, invert
from preimage.decoders.alternate import CORRECTIONS
from preimage.decoders.correct import unrolled
from preimage.decoders.corrector_network import BLOCKS, WIDTHS
from preimage.decoders.train import log_error
from preimage.decoders.train_corrector import MEASURED, SEARCH, Objective, balance, made_for, standardise

TAPS = {"block 2": (1.0, 4, 128), "block 4": (0.9, 3, 144)}  # weight, crops of a step and their side
RATES, AVERAGES, CLIP = (1e-3, 4e-4, 3e-4), (0.995, 0.99, 0.99), 1.0
WHOLE_AFTER = 0.92  # share of the first stage's time


class Training(Material):
    """The corrector in the making.

    Args:
        arguments: of the command line.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__(arguments.debian)
        self.arguments = arguments
        inverse = invert(self.zoo.module, self.zoo.example, taps=taps(self.zoo))
        self.attached = decoders.load(arguments.decoder).with_corrector(None).attach(inverse)
        decoder = self.attached.decoder.network.to(memory_format=torch.channels_last)
        torch.manual_seed(0)
        self.network = made_for(decoder, list(TAPS), WIDTHS, BLOCKS).to(memory_format=torch.channels_last)
        standardise(self.network, decoder, self.map_to, self.inputs(MEASURED, 224))
        self.objective = Objective(self.attached.decoder, self.map_to)

    def map_to(self, tap: str) -> Callable[[Tensor], Tensor]:
        return partial(self.frozen.until, label=tap)

    def corrections(self, done: float, tap: str) -> Tensor:
        """The loss of the first stage: two corrections of what is painted."""
        _, count, side = TAPS[tap]
        x = self.inputs(2, 224) if done > WHOLE_AFTER else self.inputs(count, side)
        f, decoder = self.map_to(tap), self.attached.decoder.network
        with torch.no_grad():
            y = f(x)
            painted = decoder(y, tap, (x.shape[2], x.shape[3]))
        found = unrolled(f, y, tap, decoder, self.network, CORRECTIONS, painted)
        return torch.stack([log_error(z, x) for z in found]).mean()

    def turns(self, _: float, tap: str) -> Tensor:
        """The loss of the later stages: corrections, a search, corrections."""
        products = self.random.randint(*SEARCH)
        return self.objective.loss(self.network, self.inputs(2, 224), tap, products).mean()

    def stage(self, number: int, loss: Callable[[float, str], Tensor], several: int) -> int:
        """Train with one loss for its share of the time; returns the steps."""
        optimiser = optimiser_of(self.network.parameters(), RATES[number])
        average, begun, step = copy.deepcopy(self.network), time.monotonic(), 0
        whole = 60 * self.arguments.minutes[number]
        while (done := (time.monotonic() - begun) / whole) < 1:
            set_rate(optimiser, RATES[number], step, done)
            optimiser.zero_grad(set_to_none=True)
            weights = [weight for weight, _, _ in TAPS.values()]
            for tap in self.random.choices(list(TAPS), weights, k=several):
                (loss(done, tap) / several).backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
            optimiser.step()
            follow(average, self.network, AVERAGES[number], step)
            step += 1
        self.network.load_state_dict(average.state_dict())
        return step

    def quality(self, attached: decoders.Attached) -> dict[str, list[float]]:
        """Mean PSNR on the validation photographs by tap: painted, and after 24 products."""
        unit, found = self.zoo.preprocessing.to_unit, {}

        def psnr(x: Tensor, truth: Tensor) -> list[float]:
            return (-10 * (unit(x) - unit(truth)).square().flatten(1).mean(1).log10()).tolist()

        for tap in TAPS:
            rows = [[], []]
            for x in self.held.split(4):
                y = self.frozen(x, [tap])[tap]
                rows[0] += psnr(attached(y, tap), x)
                rows[1] += psnr(attached.solve(y, tap)[0], x)
            found[tap] = [round(fmean(row), 2) for row in rows]
        return found

    def save(self, steps: list[int]) -> None:
        """Decoder and corrector, with what is known about the latter."""
        balance(self.network, self.attached.decoder.network, self.map_to, self.held.split(4))
        decoder = self.attached.decoder.with_corrector(self.network)
        attached = decoder.attach(self.attached.inverse)
        decoder.card["corrector"] = {"steps": steps, "validation_psnr": self.quality(attached)}
        decoder.save(self.arguments.folder / "efficientnet-lite0")
        print(json.dumps(decoder.card["corrector"], indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="receives decoder and corrector")
    parser.add_argument("--debian", type=Path, default=Path("/"), help="where the packages are unpacked")
    parser.add_argument("--decoder", default="efficientnet-lite0", help="name or folder")
    parser.add_argument("--minutes", type=float, nargs=3, default=(24, 26, 14), help="of the stages")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    training = Training(arguments)
    steps = [training.stage(0, training.corrections, 2)]
    steps += [training.stage(number, training.turns, 1) for number in (1, 2)]
    training.save(steps)


if __name__ == "__main__":
    main()
