"""One neutral training loop for every library: a budget of process time, and nothing that knows whose flow it is."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from flow_data import Data

CLIP = 5.0
WARM_UP = 0.05
FIRST_ROWS = 2_000


@dataclass(frozen=True)
class Budget:
    """What every contender gets on a data set.

    Args:
        seconds: of process time for training steps, one thread; validation does not count.
        parameters: numbers to train, within 5 %.
        batch: rows of a step.
        learning_rate: of Adam at the top of its cosine.
        checks: how often the validation rows are scored; the best weights are kept.
    """

    seconds: float
    parameters: int
    batch: int = 256
    learning_rate: float = 2e-3
    checks: int = 8


@dataclass
class Result:
    """One training run.

    Args:
        validation, test: mean figures of the best weights, in the unit of the data.
        steps: optimiser steps that fitted into the budget.
        skipped: of them, steps that were left out because loss or gradient was not finite.
        seconds: process time of the steps.
    """

    validation: float
    test: float
    steps: int
    skipped: int
    seconds: float

    def plain(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


class Scorer:
    """Mean figures of the held-out rows, always with the same noise."""

    def __init__(self, data: Data) -> None:
        self.data = data
        noise = torch.Generator().manual_seed(1)
        self.parts = {name: (rows, data.ready(rows, noise)) for name, rows in _held(data).items()}

    @torch.no_grad()
    def mean(self, flow: nn.Module, part: str) -> float:
        """NaN where a density is not finite, which counts as lost."""
        flow.eval()
        rows, ready = self.parts[part]
        log_prob = torch.cat([flow(some) for some in ready.split(1000)])
        flow.train()
        return self.data.figure(rows, ready, log_prob).double().mean().item()


def _held(data: Data) -> dict[str, Tensor]:
    return {"validation": data.validation, "test": data.test}


def train(flow: nn.Module, data: Data, budget: Budget, seed: int) -> Result:
    """Adam with a warm-up and a cosine over the budget, clipped gradients, best validation weights kept."""
    noise = torch.Generator().manual_seed(seed)
    flow.train()
    with torch.no_grad():  # layers that start from data see the same rows in every library
        flow(data.ready(data.train[:FIRST_ROWS], noise))
    scorer, run = Scorer(data), _Run(flow, data, budget, noise)
    best, kept, check = math.inf, copy.deepcopy(flow.state_dict()), 1
    while run.seconds < budget.seconds:
        run.step()
        if run.seconds >= budget.seconds * check / budget.checks:
            check += 1
            now = scorer.mean(flow, "validation")
            if now < best:
                best, kept = now, copy.deepcopy(flow.state_dict())
    flow.load_state_dict(kept)
    return Result(best, scorer.mean(flow, "test"), run.steps, run.skipped, run.seconds)


class _Run:
    """A flow with its optimiser, and the time that its steps took."""

    def __init__(self, flow: nn.Module, data: Data, budget: Budget, noise: torch.Generator) -> None:
        self.flow, self.data, self.budget, self.noise = flow, data, budget, noise
        self.trained = [p for p in flow.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(self.trained, lr=budget.learning_rate)
        self.steps, self.skipped, self.seconds = 0, 0, 0.0
        self.order = torch.zeros(0, dtype=torch.long)

    def step(self) -> None:
        """One step on the next rows."""
        rows = self._rows()
        started = time.process_time()
        self._update(rows)
        self.seconds += time.process_time() - started
        self.steps += 1

    def _update(self, rows: Tensor) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.budget.learning_rate * self._factor()
        self.optimiser.zero_grad(set_to_none=True)
        loss = -self.flow(rows).mean()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.trained, CLIP)
        if loss.isfinite() and norm.isfinite():
            self.optimiser.step()
        else:
            self.skipped += 1

    def _factor(self) -> float:
        done = self.seconds / self.budget.seconds
        if done < WARM_UP:
            return max(done / WARM_UP, 0.02)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - WARM_UP) / (1 - WARM_UP))))

    def _rows(self) -> Tensor:
        if len(self.order) < self.budget.batch:
            self.order = torch.randperm(len(self.data.train), generator=self.noise)
        chosen, self.order = self.order.split([self.budget.batch, len(self.order) - self.budget.batch])
        return self.data.ready(self.data.train[chosen], self.noise)
