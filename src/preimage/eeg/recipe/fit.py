"""The training recipe of EEG-InvNet: cycles, random windows, and class means that learn faster."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from torch import Tensor

from preimage.eeg.invnet.network import InvNet
from preimage.eeg.recipe.crops import RandomCrops, checked_recordings, evenly_spaced_crops
from preimage.training import CosineCycles, ParameterGroup

Model = TypeVar("Model", bound=InvNet)

CROPS = 3  # windows of a recording that are validated with


def recipe_settings(cycles: int = 10, cycle_epochs: int = 25, **changes: Any) -> dict[str, Any]:
    """The settings of the recipe, for ``fit`` of an :class:`~preimage.eeg.InvNet`.

    AdamW with learning rate 5e-4 and 1e-2 for the class means, weight decay 5e-5, no clipping; every cycle
    warms up for one epoch, falls along a cosine to zero, and starts with a fresh optimiser. All steps are
    those of the data that are really trained on. Steps whose gradient is not finite are not taken.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks; cycles: Loshchilov, Hutter (2017), https://arxiv.org/abs/1608.03983

    Args:
        cycles: how often the learning rate rises and falls, 1 or more.
        cycle_epochs: passes over the data in each, 2 or more.
        **changes: further settings of :class:`~preimage.training.FitSettings`, or others in place of these.

    Returns:
        Settings by name.

    Raises:
        ValueError: a number is out of range.

    Example:
        >>> settings = recipe_settings(cycles=2, batch_size=32)
        >>> settings["epochs"], settings["batch_size"], settings["learning_rate"]
        (50, 32, 0.0005)
    """
    if cycles < 1:
        raise ValueError(f"recipe_settings: cycles is {cycles}, wanted 1 or more")
    settings = {
        "epochs": cycles * cycle_epochs,
        "batch_size": 128,
        "learning_rate": 5e-4,
        "weight_decay": 5e-5,
        "schedule": CosineCycles(cycle_epochs, warm_up_epochs=1),
        "groups": (ParameterGroup("*flow.base.*", learning_rate=1e-2),),
        "clip": math.inf,
        "patience": 0,
    }
    return settings | changes


def fit_by_recipe(
    model: Model,
    recordings: Any,
    labels: Any,
    *,
    validation: tuple[Any, Any] | None = None,
    cycles: int = 10,
    cycle_epochs: int = 25,
    **settings: Any,
) -> Model:
    """Train an invertible network on windows of recordings, by the recipe of EEG-InvNet.

    In an epoch every recording gives one window at a random place. The loss and its noise are those of the
    model. Where recordings of other subjects are given to validate with, the weights that do best on them
    are kept, and no figure measured on those recordings is clean any more: report another set.

    Reference: Schirrmeister (2024), Deep learning for brain-signal decoding from electroencephalography,
    chapter on invertible networks

    Args:
        model: an :class:`~preimage.eeg.EEGInvNet` or another :class:`~preimage.eeg.InvNet`, trained in place.
        recordings: tensor or array ``(N, C, L)``, L at least ``model.times``.
        labels: classes ``(N,)``, whole numbers.
        validation: recordings and labels of other subjects; by default none, and the last weights are kept.
        cycles: how often the learning rate rises and falls.
        cycle_epochs: passes over the data in each.
        **settings: see :func:`recipe_settings`, such as ``batch_size=32`` or ``checkpoint="folder"``.

    Returns:
        The model itself, in evaluation mode, with the run in ``history``.

    Raises:
        ShapeError: the shapes do not fit together.
        NotConvergedError: the loss diverged again and again.

    Cost: one second on one core for every 64 windows of 21 x 128 with the sizes of EEG-InvNet.

    Example:
        >>> from preimage.eeg import EEGInvNet
        >>> model = EEGInvNet(channels=2, times=16, stages=1, blocks=1, hidden_channels=4)
        >>> x, y = torch.randn(8, 2, 20), torch.arange(8) % 2
        >>> fit_by_recipe(model, x, y, cycles=1, cycle_epochs=2, progress=False).history[-1]["epoch"]
        1
    """
    crops = RandomCrops(recordings, labels, model.times)
    chosen = recipe_settings(cycles, cycle_epochs, **settings)
    if validation is None:
        chosen["hold_out"] = settings.get("hold_out", 0.0)
        model.fit(crops, **chosen)
    else:
        model.fit(crops, validation=_windows(model, *validation), **chosen)
    return model.eval()


def _windows(model: InvNet, recordings: Any, labels: Any) -> tuple[Tensor, Tensor]:
    x, y = checked_recordings("fit_by_recipe", recordings, labels, model.times)
    windows = evenly_spaced_crops(x, model.times, CROPS)  # (N, crops, C, T)
    return windows.flatten(0, 1), torch.repeat_interleave(y, CROPS)
