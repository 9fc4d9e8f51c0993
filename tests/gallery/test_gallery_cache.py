"""Decoders on disk: the same answers, never those of another network, and no harm from a damaged file."""

from pathlib import Path

import pytest
import torch

import preimage as pi
from preimage.gallery.cache import fingerprint, remembered, sources
from preimage.gallery.kept_ledger import remembered_ledger
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


def test_a_rule_of_ones_own_counts():
    here = [line for line in sources() if line.startswith(Path(__file__).name)]

    class Doubled(torch.nn.Module):
        def forward(self, x):
            return 2 * x

    @pi.register_inverse(Doubled)
    def doubled(site, y):
        return pi.Solved(y / 2)

    assert not here
    assert [line for line in sources() if line.startswith(Path(__file__).name)]


@pytest.fixture
def ledger():
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Sigmoid(), torch.nn.Linear(3, 2))
    return pi.invert(network, torch.zeros(1, 4)).ledger


def test_a_ledger_is_read_as_it_was_made(tmp_path, ledger):
    remembered_ledger(tmp_path / "new", "key", lambda: ledger)
    found = remembered_ledger(tmp_path / "new", "key", never)
    assert found == ledger
    assert str(found) == str(ledger)


@pytest.mark.parametrize("damage", ["{", "[]", '{"rows": [{}]}', "null"])
def test_a_damaged_ledger_is_made_anew(tmp_path, ledger, damage):
    (tmp_path / "ledger-key.json").write_text(damage)
    assert remembered_ledger(tmp_path, "key", lambda: ledger) == ledger
    assert remembered_ledger(tmp_path, "key", never) == ledger


def test_a_ledger_that_cannot_be_kept_costs_only_time(tmp_path, ledger):
    (tmp_path / "file").write_text("")
    assert remembered_ledger(tmp_path / "file", "key", lambda: ledger) is ledger
