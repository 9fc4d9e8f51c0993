"""A training run in a process of its own, which may be killed: ``resumed_run.py CHECKPOINT KILL_AT OUT``."""

import os
import signal
import sys
from pathlib import Path

import torch
from problems import moons, small_flow
from torch import nn

from preimage.training import FitSettings, fit

SETTINGS = {"epochs": 4, "batch_size": 64, "progress": False, "average": 0.9, "seed": 3}


class Noisy(nn.Module):
    """A flow whose data get fresh noise at every step, so that the random numbers matter."""

    def __init__(self):
        super().__init__()
        self.flow = small_flow(layers=2)

    def forward(self, x):
        return -self.flow.log_prob(x + 0.05 * torch.randn_like(x))


def objective(model, batch):
    """The negative log-density of the rows."""
    return model(batch[0])


def run(kill_at=None, **settings):
    """Train, and kill this process without warning at a step."""
    seen = {"steps": 0}

    def counted(model, batch):
        if model.training:
            seen["steps"] += 1
        if seen["steps"] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return objective(model, batch)

    model = Noisy()
    history = fit(model, counted, moons(), FitSettings(**(SETTINGS | settings)))
    return torch.cat([p.detach().flatten() for p in model.state_dict().values()]), history


if __name__ == "__main__":
    torch.set_num_threads(1)
    checkpoint, kill_at, out = sys.argv[1:]
    found, history = run(int(kill_at) or None, checkpoint=checkpoint, checkpoint_every=5)
    torch.save({"weights": found, "losses": history.column("loss")}, Path(out))
