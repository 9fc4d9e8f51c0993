"""Cycles of the learning rate, groups of parameters, and steps that are not finite."""

import math

import pytest
import torch
from problems import line, moons, quiet, small_flow, squares

from preimage.training import CosineCycles, ParameterGroup, find_learning_rate, fit
from preimage.training.run import Run


@pytest.mark.shows("4-8")
def test_every_cycle_ends_at_zero_for_the_data_that_are_really_trained_on():
    rates = []
    x = moons(256)  # 0.25 held out: 192 rows, 3 steps an epoch, not the 4 of all rows
    settings = quiet(epochs=8, schedule=CosineCycles(4, 1), hold_out=0.25, patience=0, learning_rate=0.1)
    history = fit(line(), squares, x, settings, listeners=[rates.append])
    factor = CosineCycles(4, 1).factor(epoch_steps=3)
    assert history[-1]["step"] == 24
    found = [record["learning_rate"] for record in rates]
    assert found == pytest.approx([0.1 * factor(3 * epoch) for epoch in range(1, 9)])
    assert factor(11) < 0.05
    assert factor(3) == 1.0
    assert [factor(step) for step in range(12, 24)] == [factor(step) for step in range(12)]


@pytest.mark.shows("4-8")
def test_a_cycle_counted_from_another_set_would_climb_again():
    """The mistake that the rule excludes: 4/3 as many steps as planned raise the rate within a cycle."""
    planned = CosineCycles(25, 1, restart_optimiser=False).factor(epoch_steps=30)
    really = [planned(step) for step in range(25 * 40)]
    assert really[-1] > 0.2
    right = CosineCycles(25, 1).factor(epoch_steps=40)
    assert right(25 * 40 - 1) < 1e-4


def test_the_optimiser_forgets_at_the_start_of_a_cycle():
    def seen(schedule):
        model = line()
        run = Run(model, squares, quiet(schedule=schedule, learning_rate=1e-3), 8, epoch_steps=2)
        steps = []
        for _ in range(8):
            run.step((moons(16),))
            steps.append(int(run.optimiser.state[model.weight]["step"]))
        return steps

    assert seen(CosineCycles(2, 0)) == [1, 2, 3, 4, 1, 2, 3, 4]
    assert seen(CosineCycles(2, 0, restart_optimiser=False)) == list(range(1, 9))


@pytest.mark.parametrize("numbers", [(0, 0), (3, 3), (3, -1)])
def test_cycles_without_a_descent_are_refused(numbers):
    with pytest.raises(ValueError, match="fewer to warm up"):
        CosineCycles(*numbers)


@pytest.mark.shows("4-8")
def test_groups_learn_at_their_own_rate():
    model = line()
    groups = (ParameterGroup("bias", learning_rate=0.3, weight_decay=0.5),)
    settings = quiet(groups=groups, learning_rate=0.1, schedule="constant", warm_up=0.0, clip=math.inf)
    run = Run(model, squares, settings, 4)
    assert [(g["lr"], g["weight_decay"]) for g in run.optimiser.param_groups] == [(0.3, 0.5), (0.1, 0.0)]
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()
    run.step((moons(16),))
    # The first step of Adam is the learning rate itself, in the direction of minus the gradient.
    assert (model.weight - weight).abs().detach() == pytest.approx(torch.full((1, 2), 0.1), rel=1e-3)
    decayed = bias * (1 - 0.3 * 0.5)
    assert (model.bias - decayed).abs().detach() == pytest.approx(torch.tensor([0.3]), rel=1e-3)


def test_groups_that_fit_nothing_are_refused():
    with pytest.raises(ValueError, match="fits no parameter, such as 'weight'"):
        fit(line(), squares, moons(), quiet(groups=(ParameterGroup("*.base.*", 0.1),)))
    with pytest.raises(ValueError, match="wanted a positive number"):
        ParameterGroup("*", learning_rate=0.0)


def test_a_sweep_keeps_the_ratio_of_the_groups():
    groups = (ParameterGroup("bias", learning_rate=1e-2),)
    found = find_learning_rate(line(), squares, moons(), quiet(groups=groups, learning_rate=1e-3), steps=10)
    assert len(found.rates) >= 3


def test_a_run_with_cycles_and_groups_goes_on_from_its_checkpoint(tmp_path):
    common = {
        "schedule": CosineCycles(2, 1),
        "groups": (ParameterGroup("bias", 0.03),),
        "clip": math.inf,
        "epochs": 5,
        "hold_out": 0.0,
    }
    whole = line()
    fit(whole, squares, moons(), quiet(**common))
    parts = line()

    def stop(record):
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            parts,
            squares,
            moons(),
            quiet(**common, checkpoint=tmp_path, checkpoint_every=1),
            listeners=[stop],
        )
    again = line(seed=5)
    fit(again, squares, moons(), quiet(**common, checkpoint=tmp_path, checkpoint_every=1))
    assert torch.equal(again.weight, whole.weight)


@pytest.mark.shows("4-8")
def test_a_gradient_that_is_not_finite_changes_nothing():
    flow = small_flow()
    flow.log_prob(moons(64))
    run = Run(flow, lambda m, batch: -m(batch[0]), quiet(), 4)
    run.step((moons(64),))
    before = [parameter.detach().clone() for parameter in flow.parameters()]

    def poisoned(model, batch):
        loss = -model(batch[0])
        return loss + (next(model.parameters()).sum() * 0).sqrt()  # finite, with a gradient of 0 / 0

    run.objective = poisoned
    loss, finite = run.step((moons(64),))
    assert loss.isfinite()
    assert not finite
    assert all(torch.equal(a, b) for a, b in zip(before, flow.parameters(), strict=True))
