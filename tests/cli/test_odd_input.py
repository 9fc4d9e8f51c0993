"""What strangers bring: other separators and encodings, columns that hold nothing, pictures of every mode."""

import numpy as np
import pytest
from commands import QUICK
from PIL import Image

from preimage.datasets.frames import read_frame
from preimage.errors import DataFileError
from preimage.flows import TabularFlow

pd = pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

RANDOM = np.random.default_rng(0)
ROWS = 40


def rows():
    return pd.DataFrame({"height": RANDOM.normal(170, 9, ROWS), "share": RANDOM.uniform(size=ROWS)})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd input") / "a folder with spaces"
    folder.mkdir()
    rows().to_csv(folder / "plain.csv", index=False)
    return folder


WRITTEN = {
    "semicolons": ("a.csv", {"sep": ";"}),
    "semicolons, commas in numbers": ("a.csv", {"sep": ";", "decimal": ","}),
    "tabs in a csv": ("a.csv", {"sep": "\t"}),
    "bars": ("a.csv", {"sep": "|"}),
    "commas in a tsv": ("a.tsv", {}),
    "compressed semicolons": ("a.csv.gz", {"sep": ";"}),
    "Windows line ends": ("a.csv", {"lineterminator": "\r\n"}),
    "a mark of the byte order": ("a.csv", {"encoding": "utf-8-sig"}),
    "quoted names": ("a.csv", {"quoting": 1, "sep": ";"}),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_tables_are_read_however_they_are_written(tmp_path, name):
    file, how = WRITTEN[name]
    frame = rows()
    frame.to_csv(tmp_path / file, index=False, **how)
    pd.testing.assert_frame_equal(read_frame(tmp_path / file), frame)


def test_a_comma_within_words_is_no_separator(tmp_path):
    (tmp_path / "a.csv").write_text("name;value\na, b;1\nc;2\n")
    assert list(read_frame(tmp_path / "a.csv")["name"]) == ["a, b", "c"]


def test_names_that_rise_are_names(tmp_path):
    (tmp_path / "a.csv").write_text("400.5,401.5,402.5\n1,2,3\n")
    assert list(read_frame(tmp_path / "a.csv").columns) == ["400.5", "401.5", "402.5"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("name,x\n\u00e9,1\n".encode("latin-1"), "save it as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "save it as UTF-8"),
        (b"0.4,-1.5,2\n0.1,0.2,0.3\n", "add a line of names"),
        (b"a,b\n1,2\n1,2,3\n", "cannot be read as a table"),
        (b"", "cannot be read as a table"),
        (bytes(range(256)) * 9, "a.csv"),
    ],
)
def test_what_is_no_table_is_said_to_be_none(tmp_path, content, says):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataFileError, match=says):
        read_frame(tmp_path / "a.csv")


ODD = {
    "constant": ({"c": [1.0] * ROWS}, "column 'c' has only the value 1.0"),
    "constant word": ({"c": ["one"] * ROWS}, "column 'c' has only the value 'one'"),
    "nothing": ({"c": [np.nan] * ROWS}, "column 'c' has no values"),
    "names of rows": ({"c": [f"u{n}" for n in range(ROWS)]}, "column 'c' has another value in every row"),
    "dates": ({"c": pd.date_range("2020-01-01", periods=ROWS)}, "such as days of dates"),
    "infinity": ({"c": [np.inf, *range(ROWS - 1)]}, "column 'c' holds infinity in 1 of 40 rows"),
}


@pytest.mark.parametrize("name", ODD)
def test_columns_without_a_density_are_named(refused, done, place, name):
    more, says = ODD[name]
    rows().assign(**more).to_csv(place / "odd.csv", index=False)
    refused("train", "odd.csv", "--out", "never", says=says)
    assert not (place / "never").exists()


def test_they_can_be_dropped(done, place):
    rows().assign(c="one").to_csv(place / "odd.csv", index=False)
    done("train", "odd.csv", "--out", "dropped", "--drop", "c", *QUICK, "--no-report")
    assert [c.name for c in TabularFlow.load(place / "dropped").columns] == ["height", "share"]


def test_one_row_is_too_few_to_train_and_enough_to_score(refused, done, place):
    rows().head(1).to_csv(place / "one.csv", index=False)
    refused("train", "one.csv", "--out", "never", says="1 of 1 rows are left for training")
    done("train", "plain.csv", "--out", "plain", *QUICK, "--no-report")
    said = done("score", "plain", "one.csv", "--out", "scored.csv")
    assert said.startswith("1 row in scored.csv")
    assert "nan" not in said


def test_constant_numbers_of_an_array_are_named(refused, place):
    np.save(place / "constant.npy", np.stack([RANDOM.normal(size=ROWS), np.ones(ROWS)], 1))
    refused("train", "constant.npy", "--out", "never", says="column 'x1' has only the value 1")


def test_many_categories_in_a_narrow_flow_come_back(tmp_path):
    words = [f"w{n % 60}" for n in range(120)]
    flow = TabularFlow({"w": words, "x": RANDOM.normal(size=120)}, transforms=1, hidden_features=(4,))
    assert "agree" in TabularFlow.load(flow.save(tmp_path / "m")).checked


def test_places_that_cannot_be_written(refused, place):
    (place / "file").touch()
    for out in ("file/below", "file/below/further"):
        refused("train", "plain.csv", "--out", out, says="cannot be made")
    refused("train", "plain.csv", "--out", "new", "--checkpoint", "file/c", *QUICK, says="cannot write to")


def test_pictures_of_every_mode(done, place):
    for folder in ("modes", "deep"):
        (place / folder).mkdir()
    for number in range(12):
        grey = Image.fromarray(RANDOM.integers(0, 256, (8, 8), dtype=np.uint8))
        grey.convert(("L", "RGB", "RGBA", "LA")[number % 4]).save(place / f"modes/{number:02d}.png")
        deep = RANDOM.integers(0, 2**16, (8, 8)).astype(np.uint16)
        Image.fromarray(deep).save(place / f"deep/{number:02d}.png")
    small = ("--set", "levels=1", "--set", "steps=1", "--set", "hidden_features=4")
    for folder in ("modes", "deep"):
        train = ("train", folder, "--out", f"of {folder}", "--epochs", 1, "--quiet", "--no-report", *small)
        done(*train, "--test", 0, "--validation", 0)
        done("sample", f"of {folder}", "--count", 2, "--out", f"{folder}.npy", "--quiet")
        assert np.load(place / f"{folder}.npy").shape == (2, 1, 8, 8)
