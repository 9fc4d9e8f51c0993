"""Tables and folders of pictures of users."""

import gzip

import numpy as np
import pytest
import torch
from PIL import Image

from preimage import datasets
from preimage.errors import DataFileError, PictureError

pd = pytest.importorskip("pandas")


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.csv.gz", "rows.parquet"])
def test_tables_are_read_by_their_suffix(tmp_path, name):
    frame = pd.DataFrame({"a": [1.5, np.nan, 2.0], "b": ["x", "y", "z"], "c": [True, False, True]})
    path = tmp_path / name
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    else:
        text = frame.to_csv(index=False, sep="\t" if ".tsv" in name else ",")
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    found = datasets.read_frame(path, ["b", "a"])
    assert list(found.columns) == ["b", "a"]
    assert found["b"].tolist() == ["x", "y", "z"]
    np.testing.assert_array_equal(found["a"].to_numpy(), [1.5, np.nan, 2.0])


def test_numbers_that_may_be_missing_become_plain(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], dtype="Int64"),
            "w": pd.array([4, 5, 6], dtype="Int64"),
            "t": pd.array([True, None, False], dtype="boolean"),
        }
    )
    frame.to_parquet(tmp_path / "rows.parquet")
    found = datasets.read_frame(tmp_path / "rows.parquet")
    np.testing.assert_array_equal(found["n"].to_numpy(), [1, np.nan, 3])
    assert found["w"].to_numpy().dtype.kind == "i"
    assert [bool(v) for v in found["t"].isna()] == [False, True, False]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read as a table"),
        ("a,b\n", "holds 0 rows"),
        ("a,b\n1,2\n3,4,5,6\n", "cannot be read as a table"),
    ],
)
def test_broken_tables_are_refused(tmp_path, content, said):
    (tmp_path / "rows.csv").write_text(content)
    with pytest.raises(DataFileError, match=said):
        datasets.read_frame(tmp_path / "rows.csv")


@pytest.mark.parametrize("rows", ["0.5,1,2\n0.7,3,4\n", "1,2,\n3,4,\n", "1,2,3\n4\n", "x,1,2\nx,3,4\n"])
def test_rows_of_more_fields_than_names_are_refused(tmp_path, rows):
    path = tmp_path / "shifted.csv"
    path.write_text("a,b\n" + rows)
    with pytest.raises(DataFileError, match="rows have 3 fields, but the first line has 2 names"):
        datasets.read_frame(path)


@pytest.mark.parametrize("rows", ["1,5,6\n2,7,8\n", "Ann,5,6\nBob,7,8\n"])
def test_numbers_and_names_of_rows_are_left_aside(tmp_path, rows):
    path = tmp_path / "named.csv"
    path.write_text("a,b\n" + rows)
    frame = datasets.read_frame(path)
    assert frame["a"].tolist() == [5, 7]


def test_absent_files_and_columns_are_named(tmp_path):
    with pytest.raises(DataFileError, match="no such file"):
        datasets.read_frame(tmp_path / "rows.csv")
    (tmp_path / "rows.csv").write_text("height,age\n1,2\n")
    with pytest.raises(
        DataFileError, match=r"no column 'heigth'\. Did you mean 'height'\? It has height, age"
    ):
        datasets.read_frame(tmp_path / "rows.csv", ["heigth"])
    (tmp_path / "rows.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(DataFileError, match="cannot be read"):
        datasets.read_frame(tmp_path / "rows.csv")


def test_pictures_keep_colours_and_order(tmp_path):
    for number, colour in enumerate(["red", "lime", "blue"]):
        Image.new("RGB", (4, 2), colour).save(tmp_path / f"{number}.png")
    names, pictures = datasets.read_pictures(tmp_path)
    assert names == ["0", "1", "2"]
    assert pictures.shape == (3, 3, 2, 4)
    assert pictures[:, :, 0, 0].argmax(1).tolist() == [0, 1, 2]


def test_grey_pictures_have_one_channel(tmp_path):
    Image.new("L", (4, 4), 77).save(tmp_path / "a.png")
    Image.new("RGB", (4, 4), (9, 9, 9)).save(tmp_path / "b.png")
    _, pictures = datasets.read_pictures(tmp_path)
    assert pictures.shape == (2, 1, 4, 4)
    assert pictures[:, 0, 0, 0].tolist() == [77, 9]
    assert pictures.dtype == torch.uint8


def test_the_middle_is_cut_out(tmp_path):
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    wide[:, 10:20] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.new("RGB", (5, 8), (200, 0, 0)).save(tmp_path / "tall.png")
    _, pictures = datasets.read_pictures(tmp_path, size=5)
    assert pictures.shape == (2, 3, 5, 5)
    assert pictures[1].unique().tolist() == [200]
    with pytest.raises(DataFileError, match="give --size"):
        datasets.read_pictures(tmp_path)
    with pytest.raises(DataFileError, match="1 or more pixels"):
        datasets.read_pictures(tmp_path, size=0)
    with pytest.raises(PictureError, match="not a folder"):
        datasets.read_pictures(tmp_path / "nowhere")
