"""Training in float16: losses are scaled so that small gradients survive, and the scale can fall."""

import pytest
import torch
from problems import line, moons, quiet, small_flow, squares
from torch import nn

from preimage.errors import NotConvergedError
from preimage.training import fit
from preimage.training.run import Run

HALF = {"precision": torch.float16, "hold_out": 0.0}


class Shift(nn.Module):
    """A model without a product, which autocast leaves alone."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return (x - self.place).square().sum(1)


def losses(model, batch):
    return model(batch[0])


def large(model, batch):
    """Losses whose gradients, 65536 times as large, overflow in float16: nine halvings are needed."""
    return 1e4 * squares(model, batch).float()


def test_scaling_by_a_power_of_two_changes_no_bit():
    whole, half = Shift(), Shift()
    fit(whole, losses, moons(), quiet(hold_out=0.0))
    fit(half, losses, moons(), quiet(**HALF))
    assert torch.equal(whole.place, half.place)


def test_gradients_below_float16_survive():
    tiny = 1e-6  # times a gradient of order one over the rows of a batch: below 6e-8, the least of float16
    models = {}
    for name, precision in (("whole", None), ("half", torch.float16)):
        models[name] = line()
        scaled = lambda model, batch: tiny * squares(model, batch).float()  # noqa: E731
        fit(models[name], scaled, moons(), quiet(precision=precision, hold_out=0.0, learning_rate=0.01))
    moved = models["whole"].weight - line().weight
    assert moved.norm() > 0.05
    torch.testing.assert_close(models["half"].weight, models["whole"].weight, rtol=0, atol=0.02)


def test_a_scale_that_overflows_falls_and_is_no_divergence():
    model = line()
    history = fit(model, large, moons(), quiet(**HALF, epochs=6))
    assert {record["rollbacks"] for record in history} == {0}
    assert not torch.equal(model.weight, line().weight)


def test_gradients_that_no_scale_can_save_are_a_divergence():
    with pytest.raises(NotConvergedError, match="diverged"):
        # The root of a number that is zero has an infinite derivative, however it is scaled.
        fit(
            Shift(),
            lambda model, batch: losses(model, batch).sub(losses(model, batch).detach()).abs().sqrt(),
            moons(),
            quiet(**HALF, epochs=60),
        )


def test_a_flow_learns_in_float16():
    torch.manual_seed(0)
    flow = small_flow()
    history = flow.fit(moons(), epochs=8, batch_size=64, progress=False, learning_rate=5e-3, **HALF).history
    assert history[-1]["loss"] < history[0]["loss"] - 0.2
    assert all(parameter.isfinite().all() for parameter in flow.parameters())
    assert {parameter.dtype for parameter in flow.parameters()} == {torch.float32}


def test_a_checkpoint_holds_the_scale(tmp_path):
    settings = quiet(**HALF, epochs=4, checkpoint=tmp_path / "c")

    def stop(record):
        if record["epoch"] == 1:
            raise KeyboardInterrupt

    whole, stopped = line(), line()
    fit(whole, large, moons(), quiet(**HALF, epochs=4))
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, large, moons(), settings, listeners=[stop])
    # The listener speaks before the checkpoint of its epoch is written: that of the epoch before is there.
    again = line(seed=1)
    fit(again, large, moons(), settings)
    assert torch.equal(again.weight, whole.weight)


def test_the_scale_is_restored_with_the_rest():
    run = Run(line(), large, quiet(**HALF), steps=8)
    for _ in range(3):
        assert run.step((moons(64),))[1]
    other = Run(line(), squares, quiet(**HALF), steps=8)
    other.restore(run.tensors(), run.plain())
    assert other.scaler.get_scale() == run.scaler.get_scale() == 2.0**13
