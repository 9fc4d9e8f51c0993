"""The recipe of EEG-InvNet: random windows, evenly spaced windows, subjects kept apart, settings."""

import math

import numpy as np
import pytest
import torch

from preimage.eeg import (
    EEGInvNet,
    RandomCrops,
    evenly_spaced_crops,
    fit_by_recipe,
    recipe_settings,
    split_subjects,
)
from preimage.errors import ShapeError
from preimage.training import CosineCycles, FitSettings
from preimage.training.run import Run

SMALL = {"stages": 1, "blocks": 1, "hidden_channels": 4, "kernel_size": 3}


def counted(recordings=4, samples=30):
    """Recordings whose values say where they are from: 1000 times the recording, plus the sample."""
    return 1000.0 * torch.arange(recordings)[:, None, None] + torch.arange(samples).expand(1, 2, samples)


@pytest.mark.shows("4-8")
def test_every_epoch_sees_another_window_of_every_recording():
    crops = RandomCrops(counted(), torch.arange(4) % 2, times=5)
    torch.manual_seed(0)
    starts = [[int(crops[i][0][0, 0]) % 1000 for i in range(4)] for _ in range(200)]
    assert sorted({start for row in starts for start in row}) == list(range(26))  # both ends included
    windows = [crops[i] for i in range(4)]
    for i, (window, label) in enumerate(windows):
        assert (window.diff(dim=1) == 1).all()
        assert int(window[0, 0]) // 1000 == i
        assert int(label) == i % 2


@pytest.mark.shows("4-9")
@pytest.mark.parametrize(
    ("count", "starts"), [(1, [12]), (2, [0, 25]), (3, [0, 12, 25]), (6, [0, 5, 10, 15, 20, 25])]
)
def test_evaluation_windows_are_evenly_spaced(count, starts):
    crops = evenly_spaced_crops(counted(), times=5, count=count)
    assert crops.shape == (4, count, 2, 5)
    assert (crops[0, :, 0, 0]).tolist() == starts


def test_windows_of_the_whole_length_are_the_recording():
    assert torch.equal(evenly_spaced_crops(counted(), times=30, count=1)[:, 0], counted().expand(4, 2, 30))


@pytest.mark.parametrize("times", [0, 31])
def test_windows_longer_than_the_recording_are_refused(times):
    with pytest.raises(ShapeError, match="at most L"):
        evenly_spaced_crops(counted(), times)
    with pytest.raises(ShapeError, match="at most L"):
        RandomCrops(counted(), torch.zeros(4).long(), times)


@pytest.mark.parametrize(
    ("recordings", "labels"),
    [
        (torch.zeros(3, 30), torch.zeros(3).long()),
        (torch.zeros(3, 2, 30), torch.zeros(4).long()),
        (torch.zeros(3, 2, 30), torch.zeros(3)),
        (torch.zeros(3, 2, 30).long(), torch.zeros(3).long()),
    ],
)
def test_recordings_that_do_not_fit_their_labels_are_refused(recordings, labels):
    with pytest.raises(ShapeError, match="wanted real numbers"):
        RandomCrops(recordings, labels, 5)


@pytest.mark.shows("4-9")
def test_no_subject_is_in_both_parts():
    subjects = [f"s{i % 8}" for i in range(40)]
    kept, held = split_subjects(subjects, 0.25, torch.Generator().manual_seed(1))
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(40))
    inside = {subjects[i] for i in held.tolist()}
    assert len(inside) == 2
    assert inside.isdisjoint(subjects[i] for i in kept.tolist())
    again = split_subjects(np.array(subjects), 0.25, torch.Generator().manual_seed(1))
    assert torch.equal(again[1], held)


@pytest.mark.parametrize(("subjects", "share"), [(["a", "a"], 0.5), (["a", "b"], 0.0), (["a", "b"], 1.0)])
def test_impossible_splits_are_refused(subjects, share):
    with pytest.raises(ValueError, match="two subjects"):
        split_subjects(subjects, share)


@pytest.mark.shows("4-8")
def test_the_settings_are_those_of_the_recipe():
    settings = FitSettings(**recipe_settings())
    assert (settings.epochs, settings.learning_rate, settings.weight_decay) == (250, 5e-4, 5e-5)
    assert settings.schedule == CosineCycles(25, 1, restart_optimiser=True)
    assert settings.clip == math.inf
    assert settings.patience == 0
    with pytest.raises(ValueError, match="1 or more"):
        recipe_settings(cycles=0)


@pytest.mark.shows("4-8")
def test_class_means_learn_faster_than_the_flow_and_the_temperature():
    model = EEGInvNet(2, 16, **SMALL)
    run = Run(model, lambda m, b: m.losses(*b), FitSettings(**recipe_settings()), 10)
    rates = {
        id(parameter): (group["top"], group["weight_decay"])
        for group in run.optimiser.param_groups
        for parameter in group["params"]
    }
    assert rates[id(model.base.location)] == (1e-2, 5e-5)
    assert rates[id(model.log_temperature)] == (5e-4, 5e-5)
    assert all(rates[id(p)] == (5e-4, 5e-5) for p in model.flow.bijection.parameters())


@pytest.mark.shows("4-8", "4-9")
def test_the_recipe_learns_a_planted_difference():
    torch.manual_seed(0)
    labels = torch.arange(48) % 2
    x = torch.randn(48, 2, 40)
    x[:, 0] += 2 * (labels[:, None] - 0.5)
    model = EEGInvNet(2, 16, temperature=5.0, **SMALL)
    fit_by_recipe(
        model, x[:32], labels[:32], validation=(x[32:], labels[32:]),
        cycles=2, cycle_epochs=8, batch_size=16, progress=False,
    )  # fmt: skip
    records = model.history
    # The rate of the next step: two steps an epoch, so the second cycle starts, warming up, after 16.
    assert records[7]["learning_rate"] == pytest.approx(5e-4 / 3)
    assert records[6]["learning_rate"] < 5e-5
    assert records[-1]["step"] == 32
    assert not model.training
    assert (model.predict(x[32:, :, :16]) == labels[32:]).float().mean() >= 0.9


def test_without_validation_the_last_weights_are_kept_and_nothing_is_held_out():
    model = EEGInvNet(2, 16, **SMALL)
    fit_by_recipe(
        model, np.random.default_rng(0).normal(size=(8, 2, 20)), np.arange(8) % 2,
        cycles=1, cycle_epochs=2, batch_size=4, progress=False,
    )  # fmt: skip
    assert model.history[-1]["step"] == 4
    assert "validation_loss" not in model.history[-1]
