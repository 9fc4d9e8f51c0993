"""The one training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from preimage.errors import NotConvergedError
from preimage.training import checkpoint, processes, state
from preimage.training.batches import Batch, Batches, as_source, hold_out
from preimage.training.checkpoint import Progress
from preimage.training.guard import Guard
from preimage.training.history import History, Listener, Record, json_lines, tell, tensorboard
from preimage.training.run import Objective, Run, as_like
from preimage.training.settings import FitSettings

SHOWN = ("validation_loss", "bits_per_dim")  # of the last epoch, beside the loss of the last step
SNAPSHOT_EVERY = 100  # steps between two states that a divergence can go back to


def fit(
    model: nn.Module,
    objective: Objective,
    data: Any,
    settings: FitSettings | None = None,
    *,
    context: Any = None,
    validation: Any = None,
    listeners: Sequence[Listener] = (),
    units: Callable[[float], Record] | None = None,
) -> History:
    r"""Minimise the mean loss over the data with AdamW, and keep the weights of the best validation loss.

    The loop clips gradients, goes back to the last good state with half the learning rate when the loss
    diverges, stops when the validation loss no longer falls, and goes on from a checkpoint exactly where a
    killed run was. Under ``torchrun`` the same call trains on all processes with the same global batches.

    Reference: Loshchilov, Hutter (2019), Decoupled weight decay regularization, https://arxiv.org/abs/1711.05101

    Args:
        model: the module to train, in place.
        objective: ``objective(model, batch)`` gives the losses ``(B,)`` of the rows of a batch, a tuple of
            tensors; it must call the module that it is given.
        data: tensor or array ``(N, ...)``, data frame, or ``Dataset``.
        settings: of the run; the defaults of :class:`FitSettings` otherwise.
        context: tensor or array ``(N, ...)`` beside the data.
        validation: data of the same kind to validate with, or a tuple of data and context; by default a share
            of the rows.
        listeners: functions that get every record.
        units: further values of a record from a mean loss, such as bits per dimension.

    Returns:
        The history: one record an epoch.

    Raises:
        NotConvergedError: the loss diverged again and again.
        ModelFileError: the checkpoint belongs to another run, or to a run on other data.

    Cost: one forward and backward pass a step.

    Example:
        >>> model = torch.nn.Linear(2, 1)
        >>> settings = FitSettings(epochs=2, progress=False)
        >>> history = fit(model, lambda m, batch: m(batch[0])[:, 0] ** 2, torch.randn(64, 2), settings)
        >>> [record["epoch"] for record in history]
        [0, 1]
    """
    settings = FitSettings() if settings is None else settings
    started = processes.start()
    devices = sorted({p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"})
    training = model.training
    try:
        with torch.random.fork_rng(devices):
            torch.manual_seed(settings.seed + 1_000_003 * processes.rank())
            loop = _Loop(model, objective, data, settings, context, validation, listeners, units)
            return loop.run_all()
    finally:
        model.train(training)
        processes.stop(started)


class _Loop:
    """The parts of one call of :func:`fit`."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        data: Any,
        settings: FitSettings,
        context: Any,
        validation: Any,
        listeners: Sequence[Listener],
        units: Callable[[float], Record] | None,
    ) -> None:
        self.settings, self.objective, self.units = settings, objective, units
        self.train, self.held = _split(data, context, validation, settings)
        self.data = _fingerprint(settings, self.train, self.held)
        limit = settings.epochs * len(self.train)
        self.steps = limit if settings.steps is None else min(limit, settings.steps)
        _initialise(model, objective, self.train)
        self.run = Run(model, objective, settings, self.steps, len(self.train))
        self.guard = Guard()
        self.progress = checkpoint.load(settings, self.data, self.run, self.guard) or Progress()
        self.listeners = [*listeners, *_writers(settings)] if processes.rank() == 0 else []
        silent = not settings.progress or processes.rank() > 0
        self.shown: dict[str, str] = {}
        self.bar = tqdm(total=self.steps, initial=self.run.step_number, disable=silent or None, unit="step")

    def run_all(self) -> History:
        """Every epoch that is left, then the best weights."""
        try:
            with self.bar:
                while not self._finished():
                    self._epoch()
        finally:
            self._keep_best()
        return History(self.progress.records)

    def _finished(self) -> bool:
        stopped = bool(self.settings.patience) and self.progress.waited >= self.settings.patience
        return stopped or self.progress.epoch >= self.settings.epochs or self.run.step_number >= self.steps

    def _epoch(self) -> None:
        progress, begun = self.progress, time.perf_counter()
        rank, world = processes.rank(), processes.world()
        self.run.model.train()
        for batch in self.train.epoch(progress.epoch, progress.position, rank, world):
            self._step(batch)
            if self.run.step_number >= self.steps:
                break
        self._close_epoch(time.perf_counter() - begun)

    def _step(self, batch: Batch) -> None:
        if self.run.step_number % SNAPSHOT_EVERY == 0:
            self.guard.keep(self.run.tensors(), self.run.plain())
        loss, finite = self.run.step(batch)
        value = loss.item()
        if self.guard.diverged(value, finite):
            self._go_back(value)
        self.progress.position += 1
        self.progress.loss_sum += value if math.isfinite(value) else 0.0
        self.bar.update()
        self.bar.set_postfix({"loss": f"{value:.4g}"} | self.shown, refresh=False)
        every = self.settings.checkpoint_every
        if every is not None and self.run.step_number % every == 0:
            self._save()

    def _go_back(self, loss: float) -> None:
        """To the last good state, at half the learning rate, but not in the count of steps."""
        if self.guard.snapshot is None or self.run.rollbacks >= self.settings.rollbacks:
            raise NotConvergedError(
                f"fit: the loss diverged {self.run.rollbacks + 1} times, last to {loss:.4g} at step"
                f" {self.run.step_number}; likely causes: a learning rate that is too high (now"
                f" {self.run.learning_rate:.2g}), data that are not standardised, or a density that can be"
                " infinite because values repeat exactly (add noise or dequantise)"
            )
        number, slowed, rollbacks = self.run.step_number, self.run.slowed, self.run.rollbacks
        self.run.restore(*self.guard.snapshot)
        self.run.step_number, self.run.slowed, self.run.rollbacks = number, slowed / 2, rollbacks + 1
        self.guard.bad = 0

    def _close_epoch(self, seconds: float) -> None:
        progress = self.progress
        loss = progress.loss_sum / max(1, progress.position)
        held = self._validation_loss()
        record: Record = {
            "epoch": progress.epoch,
            "step": self.run.step_number,
            "loss": loss,
            "learning_rate": self.run.learning_rate,
            "rollbacks": self.run.rollbacks,
        }
        record |= {} if held is None else {"validation_loss": held}
        record |= {} if self.units is None else self.units(loss if held is None else held)
        self._judge(held)
        progress.records.append(record)
        tell(self.listeners, record | {"seconds": seconds})
        self.shown = {name: f"{record[name]:.4g}" for name in SHOWN if name in record}
        self.bar.set_postfix({"loss": f"{loss:.4g}"} | self.shown)
        progress.epoch, progress.position, progress.loss_sum = progress.epoch + 1, 0, 0.0
        self._save()

    def _judge(self, held: float | None) -> None:
        """Remember the weights if they are the best so far."""
        progress = self.progress
        if held is None:
            return
        if progress.best is None or held < progress.best:
            progress.best, progress.waited = held, 0
            progress.weights = state.module_tensors(self.run.kept())
        else:
            progress.waited += 1

    @torch.no_grad()
    def _validation_loss(self) -> float | None:
        if self.held is None:
            return None
        model = self.run.kept().eval()
        parameter = next(model.parameters())
        sums = torch.zeros(2, dtype=torch.float64, device=parameter.device)
        for batch in self.held.in_order(processes.rank(), processes.world()):
            losses = self.objective(model, tuple(as_like(column, parameter) for column in batch))
            sums += torch.stack([losses.double().sum(), losses.new_tensor(float(len(losses))).double()])
        self.run.model.train()
        sums = processes.total(sums)
        return (sums[0] / sums[1]).item()

    def _keep_best(self) -> None:
        weights = self.progress.weights or state.module_tensors(self.run.kept())
        state.restore_module(self.run.model, weights)

    def _save(self) -> None:
        if self.settings.checkpoint is not None:
            checkpoint.save(self.settings, self.data, self.run, self.guard, self.progress)


def _split(data: Any, context: Any, validation: Any, settings: FitSettings) -> tuple[Batches, Batches | None]:
    source = as_source(data, context)
    size, seed = settings.batch_size, settings.seed
    if validation is not None:
        pair = validation if isinstance(validation, tuple) else (validation,)
        held = as_source(*pair)
        every = torch.arange(len(source))
        return Batches(source, every, size, seed), Batches(held, torch.arange(len(held)), size, seed)
    kept, held_index = hold_out(len(source), settings.hold_out, seed)
    held_out = Batches(source, held_index, size, seed) if len(held_index) else None
    return Batches(source, kept, size, seed), held_out


def _fingerprint(settings: FitSettings, train: Batches, held: Batches | None) -> str:
    """Of the rows of a run, where a checkpoint asks for it."""
    if settings.checkpoint is None:
        return ""
    sources = [train.source] if held is None or held.source is train.source else [train.source, held.source]
    return "; validation ".join(source.fingerprint() for source in sources)


@torch.no_grad()
def _initialise(model: nn.Module, objective: Objective, batches: Batches) -> None:
    """Show the model the first batch, whole on every process: layers that start from data start alike."""
    parameter = next(model.parameters())
    batch = next(batches.epoch(0))
    objective(model.train(), tuple(as_like(column, parameter) for column in batch))


def _writers(settings: FitSettings) -> list[Listener]:
    writers = [] if settings.log is None else [json_lines(settings.log)]
    return writers if settings.tensorboard is None else [*writers, tensorboard(settings.tensorboard)]
