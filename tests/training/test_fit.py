"""The loop learns, stops, goes back, and does the same every time."""

import io
import json
import math
from contextlib import redirect_stderr

import numpy as np
import pytest
import torch
from problems import line, moons, quiet, small_flow, squares
from torch import nn
from torch.utils.data import TensorDataset

from preimage.errors import ModelFileError, NonFiniteError, NotConvergedError, ShapeError
from preimage.training import FitSettings, find_learning_rate, fit


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_a_flow_learns_the_moons():
    flow, x = small_flow(), moons(1024)
    before = flow.log_prob(x).mean().item()
    assert flow.fit(x, epochs=30, learning_rate=5e-3, progress=False) is flow
    held = flow.history.column("validation_loss")
    assert -flow.log_prob(moons(512, seed=9)).mean().item() < min(-before, 1.8)
    assert held[-1] < held[0]
    assert flow.history[0]["bits_per_dim"] == pytest.approx(held[0] / (2 * math.log(2)))


def test_runs_are_repeatable_and_leave_the_random_numbers_alone():
    found = []
    for _ in range(2):
        model = line()
        torch.manual_seed(11)
        fit(model, lambda m, b: squares(m, b) * torch.rand(()), moons(), quiet())
        found.append((weights(model), torch.rand(1)))
    torch.manual_seed(11)
    expected = torch.rand(1)
    assert torch.equal(found[0][0], found[1][0])
    assert all(torch.equal(after, expected) for _, after in found)


def test_the_seed_decides_the_order():
    first, second = line(), line()
    fit(first, squares, moons(), quiet(seed=0))
    fit(second, squares, moons(), quiet(seed=1))
    assert not torch.equal(weights(first), weights(second))


@pytest.mark.parametrize(
    "kind",
    [
        lambda x: x,
        lambda x: x.numpy(),
        lambda x: x.double().numpy(),
        TensorDataset,
        lambda x: x.tolist(),
        list,
    ],
    ids=["tensor", "array", "float64 array", "dataset", "lists", "list of tensors"],
)
def test_kinds_of_data_give_one_result(kind):
    reference, model = line(), line()
    fit(reference, squares, moons(), quiet())
    fit(model, squares, kind(moons()), quiet())
    torch.testing.assert_close(weights(model), weights(reference))


def test_context_goes_with_its_rows():
    seen = []

    def objective(model, batch):
        seen.append(batch)
        return squares(model, batch)

    x = moons()
    fit(line(), objective, x, quiet(epochs=1), context=x[:, :1] * 2)
    assert all(torch.equal(2 * data[:, :1], context) for data, context in seen)


def test_every_row_is_seen_once_an_epoch_and_none_that_is_held_out():
    seen = []

    def objective(model, batch):
        if model.training:
            seen.extend(batch[0][:, 0].tolist())
        return squares(model, batch)

    x = torch.arange(100.0)[:, None].expand(-1, 2)
    fit(line(), objective, x, quiet(epochs=1, batch_size=10, hold_out=0.2))
    first, rest = seen[:10], seen[10:]  # the first batch is shown once before the start
    assert first == rest[:10]
    assert len(set(rest)) == len(rest) == 80


def test_stops_when_validation_gets_worse_and_keeps_the_best():
    best = []

    class Worse(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))

        def forward(self, x):
            return (
                (self.weight - 0.05).square() + 0 * x[:, 0]
                if self.training
                else (self.weight - 0.01).abs() + 0 * x[:, 0]
            )

    model = Worse()
    history = fit(
        model,
        lambda m, b: m(b[0]),
        moons(),
        quiet(epochs=50, patience=3, schedule="constant", learning_rate=1e-3),
        listeners=[lambda record: best.append(record["validation_loss"])],
    )
    assert len(history) < 50
    assert best.index(min(best)) == len(best) - 4
    assert abs(model.weight.item() - 0.01) == pytest.approx(min(best), abs=1e-6)


def test_divergence_goes_back_with_a_smaller_rate():
    calls = {"number": 0}

    def objective(model, batch):
        calls["number"] += 1
        bad = 20 <= calls["number"] < 26
        return squares(model, batch) * (math.nan if bad else 1.0)

    model = line()
    history = fit(model, objective, moons(), quiet(epochs=10, hold_out=0.0))
    assert history[-1]["rollbacks"] == 1
    assert weights(model).isfinite().all()


def test_an_explosion_without_nan_goes_back_too():
    calls = {"number": 0}

    def objective(model, batch):
        calls["number"] += 1
        return squares(model, batch) + (1e8 if 30 <= calls["number"] < 36 else 0.0)

    assert fit(line(), objective, moons(), quiet(epochs=8, hold_out=0.0))[-1]["rollbacks"] == 1


def test_endless_divergence_is_an_error_with_causes():
    with pytest.raises(NotConvergedError, match="likely causes"):
        fit(line(), lambda m, b: squares(m, b) * math.nan, moons(), quiet(epochs=50, rollbacks=2))


def test_gradients_are_clipped():
    model = line()
    before = weights(model)
    settings = quiet(epochs=1, clip=1e-12, weight_decay=0.0, warm_up=0.0, learning_rate=1.0)
    fit(model, squares, moons(), settings)
    # AdamW divides by the root of the squared gradient, but not below its epsilon of 1e-8.
    assert (weights(model) - before).abs().max() < 1e-2


def test_average_is_what_is_kept():
    sharp, smooth = line(), line()
    fit(sharp, squares, moons(), quiet(hold_out=0.0, learning_rate=0.05))
    fit(smooth, squares, moons(), quiet(hold_out=0.0, learning_rate=0.05, average=0.99))
    start = weights(line())
    assert (weights(smooth) - start).norm() < 0.7 * (weights(sharp) - start).norm()


def test_autocast_reaches_the_networks():
    seen = []

    def objective(model, batch):
        out = model(batch[0])
        seen.append(out.dtype)
        return out[:, 0].float().square()

    fit(line(), objective, moons(), quiet(epochs=1, precision=torch.bfloat16, hold_out=0.0))
    assert torch.bfloat16 in seen


def test_steps_bound_the_run():
    assert fit(line(), squares, moons(), quiet(steps=5))[-1]["step"] == 5


def test_the_mode_of_the_model_is_put_back():
    model = line().eval()
    fit(model, squares, moons(), quiet())
    assert not model.training


def test_validation_data_may_be_given():
    history = fit(line(), squares, moons(), quiet(epochs=1), validation=torch.zeros(7, 2))
    model = line()
    fit(model, squares, moons(), quiet(epochs=1), validation=torch.zeros(7, 2))
    assert history[0]["validation_loss"] == pytest.approx(model(torch.zeros(1, 2)).item() ** 2)


def test_log_and_bar(tmp_path):
    with redirect_stderr(io.StringIO()):
        fit(line(), squares, moons(), quiet(log=tmp_path / "run", progress=True))
    lines = [json.loads(text) for text in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in lines] == [0, 1, 2]
    assert {"loss", "validation_loss", "seconds"} <= lines[0].keys()


def test_an_interruption_keeps_the_best_so_far():
    model = line()

    def stop(record):
        if record["epoch"] == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(model, squares, moons(), quiet(epochs=50, schedule="constant", warm_up=0.0), listeners=[stop])
    reference = line()
    fit(reference, squares, moons(), quiet(epochs=2, schedule="constant", warm_up=0.0))
    assert torch.equal(weights(model), weights(reference))


def test_learning_rate_sweep_leaves_the_weights_alone():
    model = line()
    found = find_learning_rate(model, squares, moons(), steps=60)
    assert torch.equal(weights(model), weights(line()))
    assert 1e-4 < found.suggestion < 1
    assert found.rates == sorted(found.rates)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda: FitSettings(epochs=0), ValueError, "epochs is 0"),
        (lambda: FitSettings(batch_size=0), ValueError, "1 or more"),
        (lambda: FitSettings(learning_rate=-1.0), ValueError, "positive"),
        (lambda: FitSettings(learning_rate=math.nan), ValueError, "positive"),
        (lambda: FitSettings(hold_out=1.0), ValueError, r"\[0, 1\)"),
        (lambda: FitSettings(schedule="linear"), ValueError, "'cosine'"),
        (lambda: FitSettings(clip=0.0), ValueError, "math.inf for none"),
        (lambda: FitSettings(steps=0), ValueError, "or None"),
        (lambda: fit(line(), squares, torch.zeros(0, 2), quiet()), ShapeError, "1 or more"),
        (lambda: fit(line(), squares, [], quiet()), ShapeError, "empty"),
        (
            lambda: fit(line(), squares, torch.zeros(3, 2), quiet(), context=torch.zeros(4, 1)),
            ShapeError,
            "rows",
        ),
        (lambda: fit(line(), squares, np.array([[0.0, np.nan]]), quiet()), NonFiniteError, "row 0"),
        (lambda: fit(line(), squares, iter([1]), quiet()), TypeError, "wanted a tensor or array"),
        (lambda: find_learning_rate(line(), squares, moons(), lowest=1.0, highest=0.1), ValueError, "rising"),
    ],
)
def test_bad_arguments_are_refused(wrong, error, said):
    with pytest.raises(error, match=said):
        wrong()


def test_one_row_is_enough():
    assert len(fit(line(), squares, torch.ones(1, 2), quiet(epochs=1))) == 1


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    fit(line(), squares, moons(), quiet(checkpoint=tmp_path / "c"))
    with pytest.raises(ModelFileError, match="batch_size was 64, is 32"):
        fit(line(), squares, moons(), quiet(checkpoint=tmp_path / "c", batch_size=32))
    with pytest.raises(ModelFileError, match="another model"):
        fit(nn.Linear(2, 3), squares, moons(), quiet(checkpoint=tmp_path / "c"))
