"""One training run: the model with everything that changes while it is trained."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from preimage.training import processes, state
from preimage.training.batches import Batch
from preimage.training.parameter_groups import grouped
from preimage.training.schedule import SCHEDULES, Schedule, ScheduleRule
from preimage.training.settings import FitSettings

Objective = Callable[[nn.Module, Batch], Tensor]
"""Losses ``(B,)`` of the rows of a batch; it calls the module that it is given, which may be wrapped."""

LEAST_SCALE = 1.0
"""Below it the scaling for float16 no longer helps."""


class Run:
    """A model, its optimiser and what else changes from step to step.

    Args:
        model: the module that is trained, in place.
        objective: losses of the rows of a batch.
        settings: of the run.
        steps: planned number of steps.
        epoch_steps: those of an epoch; all of them by default.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        settings: FitSettings,
        steps: int,
        epoch_steps: int | None = None,
    ) -> None:
        self.model, self.objective, self.settings = model, objective, settings
        self.wrapped = processes.wrapped(model)
        groups = grouped(model, settings.groups, settings.learning_rate, settings.weight_decay)
        self.optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate)
        self.epoch_steps = steps if epoch_steps is None else epoch_steps
        self.schedule = _schedule(settings, steps, self.epoch_steps)
        self.average = _average(model, settings.average)
        device = groups[0]["params"][0].device.type
        self.scaler = torch.amp.GradScaler(device, enabled=settings.precision is torch.float16)
        self.step_number, self.slowed, self.rollbacks = 0, 1.0, 0

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return self.settings.learning_rate * self._factor()

    def step(self, batch: Batch) -> tuple[Tensor, bool]:
        """One optimiser step on this process's share of a batch.

        Returns:
            The mean loss over all processes, a scalar, and whether all went well; where a gradient is not
            finite the weights stay as before, which in float16 is well while the scale can still fall.
        """
        self._prepare()
        self.optimiser.zero_grad(set_to_none=True)
        losses = self._losses(batch)
        rows = processes.total(torch.tensor(float(len(losses)), device=losses.device))
        # Gradients are averaged over processes, but shares of a batch may differ by a row.
        share = losses.sum() * (processes.world() / rows)
        self.scaler.scale(share).backward()
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        loss = processes.total(losses.detach().sum()) / rows
        finite = bool(norm.isfinite() & loss.isfinite())
        if finite:
            self.scaler.step(self.optimiser)
            if self.average is not None:
                self.average.update_parameters(self.model)
        well = finite or (bool(loss.isfinite()) and self._too_large_a_scale())
        self.scaler.update()
        self.step_number += 1
        return loss, well

    def _too_large_a_scale(self) -> bool:
        """Whether a gradient that is not finite may be due to the scaling for float16, which then falls."""
        return self.scaler.is_enabled() and self.scaler.get_scale() > LEAST_SCALE

    def _factor(self) -> float:
        return self.slowed * self.schedule(self.step_number)

    def _prepare(self) -> None:
        """The learning rates of the next step, and a fresh optimiser where a cycle starts."""
        rule = self.settings.schedule
        if isinstance(rule, ScheduleRule) and rule.restarts(self.step_number, self.epoch_steps):
            self.optimiser.state.clear()
        for group in self.optimiser.param_groups:
            group["lr"] = group["top"] * self._factor()

    def _losses(self, batch: Batch) -> Tensor:
        parameter = next(self.model.parameters())
        batch = tuple(as_like(column, parameter) for column in batch)
        precision = self.settings.precision
        with torch.autocast(parameter.device.type, dtype=precision, enabled=precision is not None):
            return self.objective(self.wrapped, batch)

    def kept(self) -> nn.Module:
        """The module whose weights are kept: the moving average, where there is one."""
        return self.model if self.average is None else self.average.module

    def tensors(self) -> state.Tensors:
        """Everything that a later run needs to go on exactly."""
        tensors = state.prefixed("model", state.module_tensors(self.model))
        tensors |= state.prefixed("optimiser", state.optimiser_tensors(self.optimiser))
        if self.average is not None:
            tensors |= state.prefixed("average", state.module_tensors(self.average))
        return tensors

    def plain(self) -> dict[str, Any]:
        """The numbers that belong to :meth:`tensors`."""
        scaler = self.scaler.state_dict()
        return {
            "step": self.step_number,
            "slowed": self.slowed,
            "rollbacks": self.rollbacks,
            "scaler": scaler,
        }

    def restore(self, tensors: state.Tensors, plain: dict[str, Any]) -> None:
        """Go back, or on, to where :meth:`tensors` and :meth:`plain` were taken."""
        state.restore_module(self.model, state.unprefixed("model", tensors))
        state.restore_optimiser(self.optimiser, state.unprefixed("optimiser", tensors))
        if self.average is not None:
            state.restore_module(self.average, state.unprefixed("average", tensors))
        if plain["scaler"]:
            self.scaler.load_state_dict(plain["scaler"])
        self.step_number, self.slowed = plain["step"], plain["slowed"]
        self.rollbacks = plain["rollbacks"]


def as_like(column: Tensor, parameter: Tensor) -> Tensor:
    """A column of a batch on the device of the model and, if it holds numbers with a point, in its dtype."""
    dtype = parameter.dtype if column.is_floating_point() else column.dtype
    return column.to(parameter.device, dtype)


def _schedule(settings: FitSettings, steps: int, epoch_steps: int) -> Schedule:
    if isinstance(settings.schedule, ScheduleRule):
        return settings.schedule.factor(epoch_steps)
    return SCHEDULES[settings.schedule](steps, math.ceil(settings.warm_up * steps))


def _average(model: nn.Module, decay: float) -> AveragedModel | None:
    if decay == 0:
        return None
    return AveragedModel(copy.deepcopy(model), multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
