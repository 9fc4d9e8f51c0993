"""The same run in one or several processes, started by torchrun: ``distributed_run.py OUT MEMORY``."""

import sys
from pathlib import Path

import torch
from problems import moons
from torch import nn

from preimage import Chain
from preimage.flows import Flow, Normal
from preimage.layers import ActNorm, Coupling, Permutation
from preimage.nets import MLP
from preimage.training import processes


def flow(memory):
    """A flow of couplings whose data-dependent start must be the same on every process."""
    torch.manual_seed(0)
    layers = [ActNorm(2)]
    for _ in range(3):
        net = MLP(1, 2, (16,))
        for parameter in net.parameters():
            nn.init.normal_(parameter, std=0.2)
        layers += [Coupling(torch.tensor([True, False]), net), Permutation([1, 0])]
    return Flow(Chain(*layers, memory=memory), Normal(2))


def run(memory):
    """Train and give back the losses and the weights."""
    model = flow(memory)
    # 450 rows are left for training: 64 a step over all processes, an odd share in the last step of none.
    model.fit(moons(500), epochs=3, batch_size=63, progress=False, learning_rate=5e-3)
    return model


if __name__ == "__main__":
    torch.set_num_threads(1)
    out, memory = sys.argv[1:]
    started = processes.start()
    model = run(memory)
    if processes.rank() == 0:
        state = {"losses": model.history.column("loss"), "held": model.history.column("validation_loss")}
        torch.save(state | {"weights": model.state_dict()}, Path(out))
    processes.stop(started)
