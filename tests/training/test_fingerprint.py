"""A checkpoint goes on with the data that it was made from, and with no others."""

import json

import pytest
import torch
from problems import line, moons, quiet, squares
from torch.utils.data import Dataset, TensorDataset

from preimage import storage
from preimage.errors import ModelFileError
from preimage.training import checkpoint, fingerprint, fit


@pytest.fixture
def settings(tmp_path):
    return quiet(epochs=1, checkpoint=tmp_path / "c")


def refused(settings, data, **more):
    with pytest.raises(ModelFileError, match="is of a run on other data"):
        fit(line(), squares, data, settings, **more)


def test_other_rows_of_the_same_shape_are_refused(settings):
    first = fit(line(), squares, moons(), settings)
    assert fit(line(), squares, moons(), settings) == first
    refused(settings, moons(seed=1))
    refused(settings, moons().flip(0))
    refused(settings, moons(511))
    refused(settings, moons().double())
    changed = moons()
    changed[100, 1] += 1e-6
    refused(settings, changed)


def test_other_contexts_and_validation_rows_are_refused(settings):
    fit(line(), squares, moons(), settings, validation=moons(64, seed=5))
    refused(settings, moons())
    refused(settings, moons(), validation=moons(64, seed=6))
    refused(settings, moons(), context=torch.ones(512, 1), validation=(moons(64, seed=5), torch.ones(64, 1)))


def test_tensor_datasets_are_told_apart_by_their_rows(settings):
    fit(line(), squares, TensorDataset(moons()), settings)
    fit(line(), squares, TensorDataset(moons()), settings)
    refused(settings, TensorDataset(moons(seed=1)))


class Drawn(Dataset):
    """Examples that are drawn anew, as augmented ones are."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return self.rows

    def __getitem__(self, index):
        return torch.randn(2)


def test_datasets_that_draw_are_told_apart_by_their_number_alone(settings):
    fit(line(), squares, Drawn(100), settings)
    fit(line(), squares, Drawn(100), settings)
    refused(settings, Drawn(99))


def test_checkpoints_of_earlier_versions_still_go_on(settings):
    fit(line(), squares, moons(), settings)
    tensors, config = storage.read_directory(settings.checkpoint, checkpoint.KIND, checkpoint.VERSION)
    del config["data"], config["format_version"]
    storage.write_directory(settings.checkpoint, checkpoint.KIND, checkpoint.VERSION, tensors, config)
    fit(line(), squares, moons(), settings)


def test_large_data_are_looked_at_in_places(monkeypatch):
    monkeypatch.setattr(fingerprint, "MOST_BYTES", 80)  # ten rows
    rows = moons(1000)
    whole = fingerprint.of_tensors([rows])
    for place, seen in ((0, True), (999, True), (111, True), (112, False)):
        changed = rows.clone()
        changed[place] += 1
        assert (fingerprint.of_tensors([changed]) != whole) == seen


@pytest.mark.parametrize(
    "column",
    [
        torch.zeros(3),
        torch.zeros(3, 0),
        torch.tensor([True, False]),
        torch.zeros(4, 2, dtype=torch.bfloat16),
        torch.zeros(3, 2, dtype=torch.complex64),
        torch.zeros(2, 6)[:, ::2],
    ],
)
def test_columns_of_every_kind(column):
    said = fingerprint.of_tensors([column, column])
    assert said.count(str(tuple(column.shape))) == 2
    assert json.dumps(said)
