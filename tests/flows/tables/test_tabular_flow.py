"""A data frame of every kind of column: learnt, scored in its units, sampled, saved."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from preimage import storage
from preimage.errors import DomainError, ModelFileError, ShapeError
from preimage.flows import TabularFlow
from preimage.flows.tables import Bounded, Category, Missing, Positive, Real, Whole, infer_columns

SMALL = {"transforms": 2, "hidden_features": (32,)}
QUICK = {"epochs": 25, "progress": False, "learning_rate": 5e-3}


def people(rows=1500, seed=0):
    """Heights that depend on the group, a count, a share, and ages of which some are missing."""
    random = np.random.RandomState(seed)
    group = random.choice(["adult", "child"], rows, p=[0.7, 0.3])
    height = np.where(group == "adult", 172.0, 120.0) + 8 * random.randn(rows)
    age = np.where(group == "adult", 45.0, 8.0) + 2 * random.randn(rows)
    age[random.rand(rows) < 0.25] = np.nan
    return pd.DataFrame(
        {
            "group": group,
            "height": height,
            "visits": random.poisson(20, rows),
            "share": random.beta(3, 2, rows),
            "income": np.exp(10 + random.randn(rows)),
            "age": age,
            "member": random.rand(rows) < 0.5,
        }
    )


@pytest.fixture(scope="module")
def fitted():
    frame = people()
    columns = {column.name: column for column in infer_columns(frame)}
    columns["share"], columns["income"] = Bounded("share", 0, 1), Positive("income", 1e4)
    torch.manual_seed(0)
    return TabularFlow(list(columns.values()), **SMALL).fit(frame, **QUICK).eval()


def test_kinds_are_inferred():
    kinds = {c.name: type(c).__name__ for c in infer_columns(people())}
    assert kinds == {
        "group": "Category",
        "height": "Real",
        "visits": "Whole",
        "share": "Real",
        "income": "Real",
        "age": "Missing",
        "member": "Category",
    }


def test_samples_are_a_frame_like_the_data(fitted):
    frame = fitted.sample(3000, generator=torch.Generator().manual_seed(0))
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == [column.name for column in fitted.columns]
    assert set(frame["group"]) == {"adult", "child"}
    assert frame["visits"].dtype == np.int64
    assert frame["visits"].min() >= 0
    assert frame["share"].between(0, 1, inclusive="neither").all()
    assert (frame["income"] > 0).all()
    assert abs((frame["group"] == "adult").mean() - 0.7) < 0.06
    assert abs(frame["age"].isna().mean() - 0.25) < 0.08
    means = frame.groupby("group")["height"].mean()
    assert abs(means["adult"] - 172) < 4
    assert abs(means["child"] - 120) < 8


def test_log_prob_is_in_the_units_of_the_data():
    rows = {"x": np.random.RandomState(0).randn(4000) * 50 + 1e6}
    flow = TabularFlow(rows, transforms=1, hidden_features=(8,)).fit(rows, epochs=3, progress=False)
    entropy = 0.5 * math.log(2 * math.pi * math.e * 50**2)
    assert flow.log_prob(rows).mean().item() == pytest.approx(-entropy, abs=0.1)
    assert flow.likelihood == "exact"


def test_more_draws_tighten_the_bound(fitted):
    frame = people(300, seed=1)
    torch.manual_seed(0)
    loose, tight = (fitted.log_prob(frame, draws=k).mean().item() for k in (1, 30))
    assert tight > loose
    assert fitted.likelihood == "bound"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (Category("c", ["a", "b", "c"]), np.array(["a", "b", "c", "a", "a", "b"] * 200, dtype=object)),
        (Whole("w", 5.0, 2.0), np.array([3, 4, 5, 5, 6, 7] * 200)),
        (Missing(Category("c", ["a", "b"])), np.array(["a", None, "b", "a", "a", None] * 200, dtype=object)),
    ],
    ids=["category", "whole", "missing"],
)
def test_masses_of_a_discrete_column_are_found_and_never_exceeded(column, values):
    torch.manual_seed(0)
    flow = TabularFlow([column], transforms=2, hidden_features=(16,))
    flow.fit({column.name: values}, epochs=12, batch_size=64, progress=False, learning_rate=5e-3)
    kinds = list(dict.fromkeys(values.tolist()))
    mass = np.array([np.mean([v == kind for v in values.tolist()]) for kind in kinds])
    scored = flow.log_prob({column.name: np.array(kinds, dtype=values.dtype)}, draws=500).exp().numpy()
    assert scored.sum() < 1.02
    assert scored == pytest.approx(mass, abs=0.12)


@pytest.mark.parametrize(
    "column",
    [
        Real("x", 3.0, 2.0),
        Positive("x", 5.0),
        Bounded("x", -2.0, 9.0),
        Whole("x", 4.0, 3.0),
        Missing(Real("x")),
        Missing(Whole("x", 2.0, 5.0, low=0, high=9)),
    ],
    ids=lambda column: type(column).__name__,
)
def test_values_come_back(column):
    values = np.array([1.0, 2.0, 7.0, 8.0])
    code = torch.as_tensor(column.encode(values))
    for _ in range(50):
        y, weight = column.double().lift(code)
        assert y.shape == (4, column.width)
        assert weight.shape == (4,)
        np.testing.assert_allclose(column.decode(column.lower(y.detach()).numpy()), values)


@pytest.mark.parametrize("column", [Real("x", 3.0, 2.0), Positive("x", 5.0), Bounded("x", -2.0, 9.0)])
def test_weights_are_the_log_slopes(column):
    values = torch.tensor([1.0, 2.0, 7.0], dtype=torch.float64, requires_grad=True)
    code = (values - column.center) / column.scale
    y, weight = column.lift(code)
    slope = torch.autograd.grad(y.sum(), values)[0]
    torch.testing.assert_close(weight.detach(), slope.log())


def test_mappings_give_mappings():
    rows = {"a": [0.1, 0.5, 0.7, 0.9] * 20}
    flow = TabularFlow(rows, **SMALL).fit(rows, epochs=1, progress=False)
    assert isinstance(flow.sample(2), dict)


def test_file_round_trip(fitted, tmp_path):
    again = TabularFlow.load(fitted.save(tmp_path / "m"))
    frame = people(50, seed=2)
    torch.manual_seed(0)
    first = fitted.log_prob(frame)
    torch.manual_seed(0)
    assert torch.equal(again.log_prob(frame), first)
    assert isinstance(again.sample(2), pd.DataFrame)


@pytest.mark.parametrize(
    "change",
    [
        {"columns": []},
        {"columns": [{"kind": "System", "name": "x"}]},
        {"columns": "x"},
        {"arguments": {"transforms": 10**9}},
        {"arguments": {"colour": 1}},
    ],
)
def test_broken_files_are_refused(tmp_path, change):
    path = TabularFlow([Real("x")], **SMALL).save(tmp_path / "m")
    config = json.loads((path / "config.json").read_text()) | change
    (path / "config.json").write_text(json.dumps(config))
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["config.json"] = storage._fingerprint(path / "config.json")
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError):
        TabularFlow.load(path)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda: TabularFlow(np.zeros((3, 2))), ShapeError, "use Flow"),
        (lambda: TabularFlow({"a": [1.0, 1.0]}), ShapeError, "only the value"),
        (lambda: TabularFlow({"a": [1.0], "b": [1.0, 2.0]}), ShapeError, "one number"),
        (lambda: TabularFlow({"a": [str(i) for i in range(500)]}), ShapeError, "names the rows"),
        (lambda: TabularFlow({"a": np.arange(3).astype("datetime64[D]")}), ShapeError, "dates to days"),
        (lambda: TabularFlow([Real("a"), Real("a")]), ShapeError, "different names"),
        (lambda: TabularFlow([Real("a")]).log_prob({"b": [1.0]}), ShapeError, "absent"),
        (lambda: Real("a").encode(np.array([np.inf])), DomainError, "finite"),
        (lambda: Real("a").encode(np.array(["x"], dtype=object)), ShapeError, "use Category"),
        (lambda: Positive("a").encode(np.array([0.0])), DomainError, "positive"),
        (lambda: Bounded("a", 0, 1).encode(np.array([1.0])), DomainError, "widen the bounds"),
        (lambda: Bounded("a", 1, 0), ValueError, "lower first"),
        (lambda: Whole("a").encode(np.array([0.5])), DomainError, "use Real"),
        (lambda: Whole("a", low=0).encode(np.array([-1.0])), DomainError, "between"),
        (lambda: Category("a", ["x"]), ValueError, "two or more"),
        (lambda: Category("a", ["x", "y"]).encode(np.array(["z"], dtype=object)), DomainError, "z are not"),
        (lambda: Real("a", scale=0.0), ValueError, "positive one"),
    ],
)
def test_bad_arguments_are_refused(wrong, error, said):
    with pytest.raises(error, match=said):
        wrong()


def test_another_meaning_of_a_column_is_refused(tmp_path, monkeypatch):
    path = TabularFlow([Real("x"), Positive("income")], **SMALL).save(tmp_path / "m")
    assert "agree" in TabularFlow.load(path).checked
    lower = Positive.lower
    monkeypatch.setattr(Positive, "lower", lambda self, y: 2 * lower(self, y))
    with pytest.raises(ModelFileError, match="columns of the probe"):
        TabularFlow.load(path)


def test_numbers_too_large_to_square_or_to_count():
    with pytest.raises(DomainError, match=r"'a' holds 1e\+300.*overflows"):
        infer_columns({"a": np.array([1e300, -2.5])})
    far = infer_columns({"a": np.array([3e17, -2e18, 5e16]), "b": np.array([3.0, 5.0, 1e6])})
    assert [type(column).__name__ for column in far] == ["Real", "Whole"]
