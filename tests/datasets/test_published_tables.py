"""Tables of the published comparisons: small files in their formats, and the preprocessing done by hand."""

from collections import Counter

import numpy as np
import pytest
import torch

from preimage import datasets
from preimage.errors import DataFileError, PreimageError

pd = pytest.importorskip("pandas")
RANDOM = np.random.default_rng(0)


def thirds(rows):
    """The split of the published tables: a tenth to test, a tenth of the rest to validate, from the end."""
    test = len(rows) // 10
    rest = rows[: len(rows) - test]
    held = len(rest) // 10
    return rest[: len(rest) - held], rest[len(rest) - held :], rows[len(rows) - test :]


def assert_parts(found, expected):
    for name, wanted in zip(("train", "validation", "test"), expected, strict=True):
        part = getattr(found, name)
        assert part.dtype == torch.float32
        np.testing.assert_allclose(part.numpy(), wanted, rtol=1e-5, atol=1e-5)


def test_power(tmp_path):
    raw = RANDOM.random((137, 8)) * np.arange(1, 9)
    (tmp_path / "power").mkdir()
    np.save(tmp_path / "power/data.npy", raw)
    random = np.random.RandomState(42)
    order = np.arange(137)
    random.shuffle(order)
    kept = raw[order][:, [0, 2, 4, 5, 6, 7]]
    kept[:, 1] += 0.01 * random.rand(137)
    kept[:, 0] += 0.001 * random.rand(137)
    kept[:, 2:5] += random.rand(137, 3)
    train, validation, test = thirds(kept)
    known = np.concatenate([train, validation])
    expected = [(part - known.mean(0)) / known.std(0) for part in (train, validation, test)]
    found = datasets.power(tmp_path)
    assert_parts(found, expected)
    assert len(found.names) == 6
    assert_parts(datasets.power(tmp_path / "power/data.npy"), expected)


def test_miniboone(tmp_path):
    raw = RANDOM.normal(3, 2, (60, 43))
    np.save(tmp_path / "data.npy", raw)
    train, validation, test = thirds(raw)
    known = np.concatenate([train, validation])
    found = datasets.miniboone(tmp_path)
    assert_parts(found, [(part - known.mean(0)) / known.std(0) for part in (train, validation, test)])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_gas(tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    a, b, c = RANDOM.normal(size=(3, 90))
    columns = {"Time": np.arange(90.0), "Meth": a, "Eth": b}
    columns |= {"s1": a, "s2": b, "s3": a + 0.01 * c, "s4": c, "s5": b + 1e-3 * a, "s6": a - 0.01 * c}
    frame = pd.DataFrame(columns)
    file = tmp_path / f"ethylene_CO.{suffix}"
    frame.to_csv(file, index=False) if suffix == "csv" else frame.to_parquet(file)
    found = datasets.gas(tmp_path)
    assert found.names == ("s4", "s5", "s6")  # of columns that are alike the last stays
    kept = frame[list(found.names)]
    kept = ((kept - kept.mean()) / kept.std()).to_numpy()
    assert_parts(found, thirds(kept))


def hepmass_files(folder, rows=64, extra=True):
    label = (np.arange(rows) % 2).astype(float)
    features = RANDOM.normal(5, 3, (rows, 4))
    features[:, 2] = np.round(features[:, 2]) > 5  # discrete
    names = ["label", *(f"f{i}" for i in range(4))]
    pd.DataFrame(np.column_stack([label, features]), columns=names).to_csv(
        folder / "1000_train.csv", index=False
    )
    test = np.column_stack([label, features[::-1], *([np.zeros(rows)] if extra else [])])
    pd.DataFrame(test, columns=[*names, "mass"][: test.shape[1]]).to_csv(
        folder / "1000_test.csv", index=False
    )
    return features[label == 1], features[::-1][label == 1]


@pytest.mark.parametrize("extra", [True, False])
def test_hepmass(tmp_path, extra):
    known, test = hepmass_files(tmp_path, extra=extra)
    first = [sorted(Counter(column).items())[0][1] for column in known.T]
    kept = [column for column, count in enumerate(first) if count <= 5]
    assert kept == [0, 1, 3]
    mean, deviation = known.mean(0), known.std(0, ddof=1)
    known, test = (((part - mean) / deviation)[:, kept] for part in (known, test))
    held = len(known) // 10
    found = datasets.hepmass(tmp_path)
    assert_parts(found, [known[:-held], known[-held:], test])
    assert found.names == ("feature 0", "feature 1", "feature 3")


def test_bsds300(tmp_path):
    h5py = pytest.importorskip("h5py")
    parts = {name: RANDOM.random((n, 63)) for name, n in (("train", 7), ("validation", 3), ("test", 2))}
    with h5py.File(tmp_path / "BSDS300.hdf5", "w") as file:
        for name, values in parts.items():
            file[name] = values
    found = datasets.bsds300(tmp_path)
    assert_parts(found, parts.values())
    assert found.names[9] == "pixel 1,1"


def test_hdf5_files_of_another_kind_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "BSDS300.hdf5", "w") as file:
        file["train"] = np.zeros((2, 63))
    with pytest.raises(DataFileError, match="wanted tables train"):
        datasets.bsds300(tmp_path)
    (tmp_path / "BSDS300.hdf5").write_bytes(b"no file of this kind")
    with pytest.raises(DataFileError, match="not an HDF5 file"):
        datasets.bsds300(tmp_path)


@pytest.mark.parametrize(
    "loader",
    [datasets.power, datasets.miniboone, datasets.gas, datasets.hepmass, datasets.bsds300],
    ids=lambda loader: loader.__name__,
)
def test_absent_files_are_named(loader, tmp_path):
    with pytest.raises(DataFileError, match=r"holds none of .*docs/datasets\.md"):
        loader(tmp_path)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((20, 7)), r"\(20, 7\), wanted \(rows, 8\)"),
        (np.full((20, 8), np.nan), "NaN"),
        (np.array([[object()]]), "cannot be read"),
        (np.array([["a"]]), "wanted numbers"),
        (np.zeros((3, 8)), "12 or more"),
    ],
)
def test_other_arrays_are_refused(tmp_path, values, said):
    np.save(tmp_path / "data.npy", values, allow_pickle=True)
    with pytest.raises(DataFileError, match=said):
        datasets.power(tmp_path)


def test_half_a_file_is_refused(tmp_path):
    np.save(tmp_path / "data.npy", np.zeros((50, 8)))
    file = tmp_path / "data.npy"
    file.write_bytes(file.read_bytes()[:700])
    with pytest.raises(DataFileError, match="cannot be read"):
        datasets.power(tmp_path)


def test_pickles_are_never_opened(tmp_path):
    (tmp_path / "ethylene_CO.pickle").write_bytes(b"cos\nsystem\n(S'touch harm'\ntR.")
    with pytest.raises(DataFileError, match="convert it once"):
        datasets.gas(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("label,a\n1.0,x\n", "not a table of numbers"),
        ("label,a\n" + "0.0,1.0\n" * 20, "0 rows of label 1"),
        ("label,a\n" + "1.0,1.0\n" * 20, "none is continuous"),
    ],
)
def test_other_hepmass_files_are_refused(tmp_path, text, said):
    for name in ("1000_train.csv", "1000_test.csv"):
        (tmp_path / name).write_text(text)
    with pytest.raises(PreimageError, match=said):
        datasets.hepmass(tmp_path)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": [1.0, 2.0]}, "two sensors"),
        ({"Time": 1, "Meth": 1, "Eth": 1, "s": [1.0] * 30, "t": 2.0}, "constant"),
    ],
)
def test_other_gas_files_are_refused(tmp_path, columns, said):
    pd.DataFrame(columns).to_csv(tmp_path / "ethylene_CO.csv", index=False)
    with pytest.raises(DataFileError, match=said):
        datasets.gas(tmp_path)
