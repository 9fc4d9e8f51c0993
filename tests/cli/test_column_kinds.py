"""What a user may say about the columns of a table: what they are, and which to leave out."""

import json

import numpy as np
import pytest
from commands import QUICK

from preimage.flows import TabularFlow
from preimage.flows.tables import Bounded, Category, Missing, Positive, Real, Whole

pd = pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    rows = 80
    frame = pd.DataFrame(
        {
            "income": RANDOM.lognormal(8, 1, rows),
            "share": RANDOM.beta(2, 2, rows),
            "code": RANDOM.integers(0, 30, rows),
            "spent": np.where(RANDOM.random(rows) < 0.2, np.nan, RANDOM.lognormal(2, 1, rows)),
            "number": np.arange(rows) + 0.5,
        }
    )
    frame.to_csv(folder / "rows.csv", index=False)
    return folder


SAID = ("--positive", "income,spent", "--bounded", "share=0:1", "--categorical", "code", "--drop", "number")


def test_columns_are_what_they_are_said_to_be(done, place):
    done("train", "rows.csv", "--out", "said", *SAID, *QUICK)
    columns = TabularFlow.load(place / "said").columns
    assert [type(column) for column in columns] == [Positive, Bounded, Category, Missing]
    assert type(columns[3].column) is Positive
    done("sample", "said", "--count", 300, "--out", "drawn.csv", "--quiet")
    drawn = pd.read_csv(place / "drawn.csv")
    assert list(drawn.columns) == ["income", "share", "code", "spent"]
    assert (drawn["income"] > 0).all()
    assert drawn["share"].between(0, 1, inclusive="neither").all()
    assert set(drawn["code"]) <= set(range(30))
    assert not (drawn["spent"] <= 0).any()
    done("score", "said", "rows.csv", "--out", "scored.csv")
    assert np.isfinite(pd.read_csv(place / "scored.csv")["log_prob"]).all()


def test_without_a_word_they_are_inferred(done, place):
    done("train", "rows.csv", "--out", "inferred", *QUICK, "--no-report")
    columns = TabularFlow.load(place / "inferred").columns
    assert [type(column) for column in columns] == [Real, Real, Whole, Missing, Real]


def test_columns_of_the_context_have_kinds_too(done, place):
    said = ("--context", "income,code", "--categorical", "code", "--positive", "income", "--drop", "spent")
    done("train", "rows.csv", "--out", "told", *said, *QUICK, "--no-report")
    model = TabularFlow.load(place / "told")
    assert [(c.name, type(c)) for c in model.context] == [("income", Positive), ("code", Category)]
    assert [c.name for c in model.columns] == ["share", "number"]


def test_columns_may_be_left_out_for_other_presets(done, place):
    more = ("--preset", "maf", "--drop", "spent,code", "--no-report", "--json")
    done("train", "rows.csv", "--out", "numbers", *more, *QUICK)
    assert json.loads((place / "numbers/data.json").read_text())["names"] == ["income", "share", "number"]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (("--positive", "incom"), "Did you mean 'income'?"),
        (("--drop", "incom"), "Did you mean 'income'?"),
        (("--drop", "income", "--positive", "income"), "no column 'income'"),
        (("--drop", "income", "--columns", "income"), "both as --columns and as --drop"),
        (("--drop", "income", "--context", "income"), "both as --context and as --drop"),
        (("--positive", "share", "--categorical", "share"), "column 'share' is named twice"),
        (("--bounded", "share"), "wanted NAME=LOW:HIGH"),
        (("--bounded", "share=1:0"), "wanted NAME=LOW:HIGH"),
        (("--bounded", "share=a:b"), "wanted NAME=LOW:HIGH"),
        (("--bounded", "share=0:inf"), "wanted NAME=LOW:HIGH"),
        (("--bounded", "income=0:1"), "are not strictly between 0 and 1"),
        (("--positive", "code"), "are not positive"),
        (("--preset", "maf", "--positive", "income"), "are for tables with the preset 'table'"),
    ],
)
def test_what_does_not_fit_is_refused(refused, place, said, says):
    refused("train", "rows.csv", "--out", "never", *said, says=says)
    assert not (place / "never").exists()


@pytest.mark.parametrize("said", [("--positive", "x0"), ("--drop", "x0")])
def test_arrays_have_no_kinds(refused, place, said):
    np.save(place / "array.npy", RANDOM.normal(size=(40, 2)))
    refused("train", "array.npy", "--out", "never", *said, says="leave")


def test_too_many_categories_are_refused(refused, place):
    words = [f"w{number}" for number in range(1001)] * 2
    frame = pd.DataFrame({"word": words, "x": RANDOM.normal(size=len(words))})
    frame.to_csv(place / "words.csv", index=False)
    train = ("train", "words.csv", "--out", "never")
    refused(*train, says="different words, such as 'w0', wanted 100 or fewer")
    refused(*train, "--categorical", "word", says="1001 different values, wanted 1000 categories")
