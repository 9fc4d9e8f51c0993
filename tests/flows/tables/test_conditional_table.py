"""Densities of some columns given others."""

import math

import numpy as np
import pytest
import torch

from preimage.errors import ContextError, ModelFileError, ShapeError
from preimage.flows import TabularFlow
from preimage.flows.tables import Bounded, Category, Missing, Positive, Real, Whole


def rows(count=3000, seed=0):
    """A height that depends on the group and, in one group, on the age."""
    random = np.random.RandomState(seed)
    group = random.choice(["a", "b"], count)
    age = random.rand(count) * 10
    height = np.where(group == "a", 100 + 5 * age, 50.0) + random.randn(count)
    return {"group": group, "age": age, "height": height}


@pytest.fixture(scope="module")
def fitted():
    torch.manual_seed(0)
    flow = TabularFlow(rows(), context=["group", "age"], transforms=2, hidden_features=(32,))
    return flow.fit(rows(), epochs=25, learning_rate=1e-2, progress=False).eval()


def test_the_density_is_that_of_the_column_given_the_others(fitted):
    held = rows(1000, seed=1)
    truth = -0.5 * math.log(2 * math.pi * math.e)
    assert fitted.log_prob(held).mean().item() == pytest.approx(truth, abs=0.15)
    wrong = held | {"group": np.where(held["group"] == "a", "b", "a")}
    assert fitted.log_prob(wrong).mean() < -10


def test_a_row_of_the_context_gives_its_own_samples(fitted):
    table = fitted.sample(400, {"group": ["b", "a", "a"], "age": [3.0, 0.0, 8.0]})
    assert list(table) == ["group", "age", "height"]
    assert table["group"].tolist() == ["b"] * 400 + ["a"] * 800
    np.testing.assert_allclose(table["age"].reshape(3, 400)[:, 0], [3, 0, 8], atol=1e-9)
    means = table["height"].reshape(3, 400).mean(1)
    assert means == pytest.approx([50, 100, 140], abs=2)


def test_latents_are_standard_normal_at_best(fitted):
    z = fitted.latents(rows(1000, seed=2))
    assert z.shape == (1000, 1)
    assert z.mean().abs() < 0.15
    assert z.std().item() == pytest.approx(1, abs=0.15)


def test_file_round_trip(fitted, tmp_path):
    again = TabularFlow.load(fitted.save(tmp_path / "t"))
    assert torch.equal(again.log_prob(rows(20)), fitted.log_prob(rows(20)))
    double = TabularFlow.load(fitted.double().save(tmp_path / "d"))
    fitted.float()
    assert next(double.parameters()).dtype == torch.float64


@pytest.mark.parametrize(
    ("column", "values", "wanted"),
    [
        (Real("x", 2.0, 4.0), [2.0, 6.0], [[0.0], [1.0]]),
        (Positive("x"), [1.0, math.e], [[0.0], [1.0]]),
        (Bounded("x", 0.0, 4.0), [1.0, 2.0], [[0.25], [0.5]]),
        (Whole("x", 1.0, 2.0), [1, 3], [[0.0], [1.0]]),
        (Category("x", ["a", "b"]), ["b", "a"], [[0.0, 1.0], [1.0, 0.0]]),
        (Missing(Real("x")), [math.nan, 3.0], [[0.0, 0.0], [1.0, 3.0]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_networks_are_told(column, values, wanted):
    code = torch.as_tensor(
        column.encode(np.array(values, dtype=object if "str" in str(type(values[0])) else None))
    )
    told = column.condition(code)
    assert told.shape[1] == column.conditions
    torch.testing.assert_close(told, torch.tensor(wanted, dtype=told.dtype))


def test_missing_and_unknown_contexts_are_refused(fitted):
    with pytest.raises(ContextError, match=r"got none.*\['group', 'age'\]"):
        fitted.sample(3)
    with pytest.raises(ContextError, match=r"got one.*nothing"):
        TabularFlow([Real("x")]).sample(3, {"a": [1.0]})
    with pytest.raises(ShapeError, match=r"\['age'\] are absent"):
        fitted.sample(3, {"group": ["a"]})
    with pytest.raises(ShapeError, match=r"context \['size'\] is absent"):
        TabularFlow(rows(20), context=["size"])
    with pytest.raises(ShapeError, match="one or more different"):
        TabularFlow([Real("x")], context=[Real("x")])


def test_a_file_with_another_context_is_refused(fitted, tmp_path):
    from preimage.flows.tables.files import KIND, VERSION
    from preimage.storage import read_directory, write_directory

    tensors, config = read_directory(fitted.save(tmp_path / "t"), KIND, VERSION)
    write_directory(tmp_path / "u", KIND, VERSION, tensors, config | {"context": []})
    with pytest.raises(ModelFileError, match="no table flow can be built"):
        TabularFlow.load(tmp_path / "u")
