"""Decoders on disk: the same answers, never those of another network, and no harm from a damaged file."""

import pytest
import torch

from preimage.gallery.cache import fingerprint, remembered
from preimage.inverse.calibrate import DecoderFit


@pytest.fixture
def decoders():
    x = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    y = torch.nn.functional.pixel_unshuffle(x, 2)
    fit = DecoderFit((3, 8, 8), (12, 4, 4))
    fit.update(x, y, torch.arange(16) % 4)
    return {"block 1": fit.solve(), "a//b: c": fit.solve()}, y


def never():
    raise AssertionError("nothing had to be estimated")


def test_second_run_reads_the_same_decoders(tmp_path, decoders):
    made, y = decoders
    remembered(tmp_path / "new", "key", lambda: made)
    found = remembered(tmp_path / "new", "key", never)
    assert list(found) == ["block 1", "a//b: c"]
    for label in made:
        assert torch.equal(found[label](y), made[label](y))


def test_another_key_is_estimated(tmp_path, decoders):
    calls = []
    remembered(tmp_path, "one", lambda: decoders[0])
    remembered(tmp_path, "two", lambda: calls.append(1) or decoders[0])
    assert calls == [1]


def test_a_damaged_file_is_estimated_again_and_replaced(tmp_path, decoders):
    remembered(tmp_path, "key", lambda: decoders[0])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    remembered(tmp_path, "key", lambda: decoders[0])
    assert list(remembered(tmp_path, "key", never)) == list(decoders[0])


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, decoders):
    (tmp_path / "file").write_text("")
    assert remembered(tmp_path / "file", "key", lambda: decoders[0]) is decoders[0]


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"w": torch.ones(2, 3)}, ("stem",)),
        ({"w": torch.zeros(3, 2)}, ("stem",)),
        ({"w": torch.zeros(2, 3, dtype=torch.double)}, ("stem",)),
        ({"v": torch.zeros(2, 3)}, ("stem",)),
        ({"w": torch.zeros(2, 3)}, ("head",)),
    ],
)
def test_everything_counts(tensors, words):
    same = fingerprint({"w": torch.zeros(2, 3)}, ("stem",))
    assert same == fingerprint({"w": torch.zeros(2, 3)}, ("stem",))
    assert fingerprint(tensors, words) != same
