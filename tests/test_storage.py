"""A directory is written whole or not at all, and nothing that was not written by us is read."""

import json

import pytest
import torch

from preimage import storage
from preimage.errors import ModelFileError, OutputError
from preimage.storage import Limits, read_directory, write_directory

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(3, dtype=torch.float64)}


@pytest.fixture
def saved(tmp_path):
    return write_directory(tmp_path / "model", "flow", 2, TENSORS, {"features": 3})


def test_comes_back_as_it_was(saved):
    tensors, config = read_directory(saved, "flow", 3)
    assert config == {"features": 3, "format_version": 2}
    assert all(
        torch.equal(tensors[name], value) and tensors[name].dtype == value.dtype
        for name, value in TENSORS.items()
    )


def test_views_and_shared_tensors(tmp_path):
    weight = torch.arange(12.0).view(3, 4)
    path = write_directory(tmp_path / "m", "flow", 1, {"w": weight, "t": weight.T, "row": weight[1]}, {})
    tensors, _ = read_directory(path, "flow", 1)
    assert torch.equal(tensors["t"], weight.T)
    assert torch.equal(tensors["row"], weight[1])


def test_replaces_its_own_kind_only(saved, tmp_path):
    write_directory(saved, "flow", 2, {}, {"features": 4})
    assert read_directory(saved, "flow", 2)[1]["features"] == 4
    with pytest.raises(OutputError, match="holds flow"):
        write_directory(saved, "inverse", 1, {}, {})
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(OutputError, match="other files"):
        write_directory(tmp_path / "notes", "flow", 1, {}, {})
    with pytest.raises(OutputError, match="a file"):
        write_directory(tmp_path / "notes" / "a.txt", "flow", 1, {}, {})
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"


def test_a_failure_leaves_what_was_there(saved, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "_flush", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_directory(saved, "flow", 2, {}, {"features": 5})
    assert read_directory(saved, "flow", 2)[1]["features"] == 3
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def change_json(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: (path / "manifest.json").unlink(), "written by save"),
        (lambda path: (path / "model.safetensors").unlink(), "No such file"),
        (lambda path: (path / "manifest.json").write_text("{"), "not readable as JSON"),
        (lambda path: (path / "manifest.json").write_text("[" * 100_000), "not readable as JSON"),
        (lambda path: (path / "manifest.json").write_text("[]"), "wanted a JSON object"),
        (lambda path: (path / "manifest.json").write_bytes(b"\xff\xfe"), "not readable as JSON"),
        (lambda path: change_json(path / "manifest.json", format="other"), "not a manifest"),
        (lambda path: change_json(path / "manifest.json", kind="inverse"), "wanted 'flow'"),
        (lambda path: change_json(path / "manifest.json", version=99), "newer preimage"),
        (lambda path: change_json(path / "manifest.json", version="2"), "format version"),
        (lambda path: change_json(path / "manifest.json", files={}), "says nothing"),
        (lambda path: (path / "config.json").write_text('{"features": 30}'), "incomplete or changed"),
        (lambda path: (path / "model.safetensors").write_bytes(b"\x80\x04."), "incomplete or changed"),
    ],
)
def test_harm_is_refused(saved, harm, said):
    harm(saved)
    with pytest.raises(ModelFileError, match=said):
        read_directory(saved, "flow", 2)


def test_limits_hold(saved):
    with pytest.raises(ModelFileError, match="at most 10"):
        read_directory(saved, "flow", 2, Limits(tensor_bytes=10))
    with pytest.raises(ModelFileError, match="at most 10"):
        read_directory(saved, "flow", 2, Limits(text_bytes=10))


def test_a_pickle_with_a_right_manifest_is_no_weight_file(saved):
    (saved / "model.safetensors").write_bytes(b"\x80\x04cos\nsystem\n.")
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["files"]["model.safetensors"] = storage._fingerprint(saved / "model.safetensors")
    (saved / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        read_directory(saved, "flow", 2)
