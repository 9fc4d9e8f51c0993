"""Objects of MNE and files of the TUH corpora, built in memory."""

import numpy as np
import pytest
import torch

from preimage import eeg
from preimage.errors import DataFileError

mne = pytest.importorskip("mne")


def raw_of(values, names, rate=100.0, types="eeg"):
    return mne.io.RawArray(values, mne.create_info(list(names), rate, types), verbose="error")


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape) * 1e-5  # volts


def test_a_continuous_recording():
    values = noise(3, 500)
    found = eeg.from_mne(raw_of(values, ("C3", "CZ", "C4")))
    assert found.x.shape == (1, 3, 500)
    assert torch.allclose(found.x[0], torch.tensor(values * 1e6).float())
    assert (found.unit, found.rate, found.channels) == ("µV", 100.0, ("C3", "CZ", "C4"))
    assert found.labels.tolist() == [-1]


def test_bad_channels_and_other_kinds_are_left_out():
    raw = raw_of(noise(4, 300), ("C3", "CZ", "EOG", "TRIG"), types=["eeg", "eeg", "eog", "stim"])
    raw.info["bads"] = ["CZ"]
    assert eeg.from_mne(raw).channels == ("C3",)
    with pytest.raises(DataFileError, match="the picks"):
        eeg.from_mne(raw, picks=["CZ"])
    with pytest.raises(DataFileError, match="wanted good channels"):
        eeg.from_mne(raw, picks=["EOG"])
    raw.info["bads"] = ["C3", "CZ"]
    with pytest.raises(DataFileError, match="the picks"):
        eeg.from_mne(raw)


def test_windows_avoid_bad_annotations_and_take_the_names_of_others():
    values = noise(2, 1000)
    raw = raw_of(values, ("C3", "C4"))
    raw.set_annotations(mne.Annotations([2.5, 0.0, 6.0], [0.2, 2.0, 4.0], ["BAD jump", "rest", "move"]))
    found = eeg.from_mne(raw, window=2.0)  # five windows, the second one is bad
    assert found.x.shape == (4, 2, 200)
    assert torch.allclose(found.x[1, 0], torch.tensor(values[0, 400:600] * 1e6).float(), atol=1e-4)
    assert found.classes == ("move", "rest")
    assert found.labels.tolist() == [1, -1, 0, 0]


def test_annotations_of_a_cropped_recording_with_a_date():
    raw = raw_of(noise(1, 1000), ("C3",))
    raw.set_meas_date(0)
    raw.set_annotations(mne.Annotations([6.0], [4.0], ["move"], orig_time=raw.info["meas_date"]))
    found = eeg.from_mne(raw.crop(4.0, 9.99), window=2.0)
    assert found.labels.tolist() == [-1, 0, 0]


def test_no_window_is_left():
    raw = raw_of(noise(1, 300), ("C3",))
    with pytest.raises(DataFileError, match=r"windows of 4\.0 s"):
        eeg.from_mne(raw, window=4.0)
    raw.set_annotations(mne.Annotations([0.0], [3.0], ["bad everywhere"]))
    with pytest.raises(DataFileError, match="begin with BAD"):
        eeg.from_mne(raw, window=1.0)


def test_epochs_keep_the_names_of_their_events():
    values = noise(4, 2, 50)
    events = np.array([[0, 0, 7], [100, 0, 3], [200, 0, 7], [300, 0, 3]])
    info = mne.create_info(["C3", "C4"], 100.0, "eeg")
    epochs = mne.EpochsArray(values, info, events, event_id={"left": 7, "right": 3}, verbose="error")
    found = eeg.from_mne(epochs)
    assert [found.classes[label] for label in found.labels] == ["left", "right", "left", "right"]
    assert torch.allclose(found.x, torch.tensor(values * 1e6).float())
    relabelled = eeg.from_mne(epochs, labels=["a", "b", "b", "b"])
    assert relabelled.labels.tolist() == [0, 1, 1, 1]
    assert eeg.from_mne(epochs.average()).x.shape == (1, 2, 50)
    with pytest.raises(DataFileError, match="2 labels for 4"):
        eeg.from_mne(epochs, labels=["a", "b"])


def test_magnetic_sensors_are_in_femtotesla():
    raw = raw_of(np.full((2, 100), 2e-13), ("MEG 1", "MEG 2"), types="mag")
    found = eeg.from_mne(raw)
    assert (found.kind, found.unit) == ("MEG", "fT")
    assert found.x.mean().item() == pytest.approx(200, rel=1e-5)


def test_files(tmp_path):
    raw = raw_of(noise(2, 300), ("C3", "C4"))
    raw.save(tmp_path / "some_raw.fif", verbose="error")
    found = eeg.read_mne(tmp_path / "some_raw.fif", window=1.0)
    assert torch.allclose(found.x, eeg.from_mne(raw, window=1.0).x, rtol=1e-5, atol=1e-6)
    mne.make_fixed_length_epochs(raw, 1.0, preload=True, verbose="error").save(
        tmp_path / "some-epo.fif", verbose="error"
    )
    assert len(eeg.read_mne(tmp_path / "some-epo.fif")) == 3
    (tmp_path / "broken.edf").write_bytes(b"0" * 300)
    with pytest.raises(DataFileError, match="MNE cannot read it"):
        eeg.read_mne(tmp_path / "broken.edf")


def test_something_else():
    with pytest.raises(DataFileError, match="wanted Raw, Epochs or Evoked"):
        eeg.from_mne(np.zeros((2, 8)))


def tuh_raw(seconds, rate=250.0, names=eeg.STANDARD_CHANNELS):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(len(names), round(seconds * rate))) * 2e-5
    return raw_of(values, [f"EEG {name}-REF" for name in names], rate)


def test_the_recipe_of_the_tuh_corpora():
    raw = tuh_raw(200)
    found = eeg.prepare_tuh(raw)
    assert found.shape == (21, 7680)
    assert found.mean(0).abs().max() < 1e-3  # the average over electrodes is gone
    microvolts = raw.get_data() * 1e6
    referenced = (microvolts - microvolts.mean(0)) / 30
    slow = mne.filter.resample(referenced[:, : 180 * 250], up=64, down=250, verbose="error")
    assert np.allclose(found, slow[:, 3840:], atol=1e-4)


def test_recordings_of_the_tuh_corpora_are_clipped():
    raw = tuh_raw(100)
    raw._data[3, 70 * 250 : 80 * 250] = 0.5  # half a volt
    found = eeg.prepare_tuh(raw)
    assert found.max() == 7.0
    assert found.shape == (21, 40 * 64)


def test_tuh_files_that_do_not_fit():
    with pytest.raises(DataFileError, match="no electrode A1"):
        eeg.prepare_tuh(tuh_raw(70, names=eeg.STANDARD_CHANNELS[1:]))
    with pytest.raises(DataFileError, match="more than 60"):
        eeg.prepare_tuh(tuh_raw(50))


def edf_bytes(values, names, rate):
    """A European data format file of one record: 16-bit numbers for +-1000 microvolts."""

    def fields(width, *texts):
        return b"".join(str(text).encode().ljust(width) for text in texts)

    count = len(names)
    header = fields(8, "0") + fields(80, "X", "X") + fields(8, "01.01.01", "00.00.00", 256 * (count + 1))
    header += fields(44, "") + fields(8, 1, values.shape[1] / rate) + fields(4, count)
    header += fields(16, *names) + fields(80, *[""] * count) + fields(8, *["uV"] * count)
    header += fields(8, *[-1000] * count, *[1000] * count, *[-32768] * count, *[32767] * count)
    header += fields(80, *[""] * count) + fields(8, *[values.shape[1]] * count) + fields(32, *[""] * count)
    digital = np.round((values * 1e6 + 1000) / 2000 * 65535 - 32768).astype("<i2")
    return header + digital.tobytes()


@pytest.fixture
def corpus(tmp_path):
    raw = tuh_raw(65, rate=100.0)
    content = edf_bytes(raw.get_data(), raw.ch_names, 100.0)
    files = (
        "train/normal/aab_s1_t0",
        "train/abnormal/aac_s1_t0",
        "train/abnormal/aac_s2_t0",
        "eval/normal/aad_s1_t0",
    )
    for name in files:
        path = tmp_path / "edf" / f"{name}.edf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def test_the_tuh_corpus_as_it_lies_on_disk(corpus):
    train, test = eeg.tuh_abnormal(corpus)
    assert train.x.shape == (3, 21, 5 * 64)
    assert train.labels.tolist() == [0, 1, 1]
    assert train.subjects.tolist() == [0, 1, 1]
    assert test.labels.tolist() == [0]
    wanted = eeg.prepare_tuh(tuh_raw(65, rate=100.0))
    assert torch.allclose(train.x[0], wanted, atol=2e-3)


def test_a_tuh_corpus_that_does_not_fit(corpus, tmp_path):
    with pytest.raises(DataFileError, match="no EDF files"):
        eeg.tuh_abnormal(tmp_path / "nowhere")
    short = tuh_raw(63, rate=100.0)
    (corpus / "edf/train/normal/aae_s1_t0.edf").write_bytes(
        edf_bytes(short.get_data(), short.ch_names, 100.0)
    )
    with pytest.raises(DataFileError, match="shorter than the others"):
        eeg.tuh_abnormal(corpus)
