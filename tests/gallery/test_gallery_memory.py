"""Kept answers: the same gallery without any inverse, and nothing kept that could be stale or damaged."""

from dataclasses import replace

import pytest
import torch

from preimage import gallery
from preimage.certificate import Certificate
from preimage.errors import NotInvertibleError
from preimage.gallery.answers import Forgetful, OnDisk


class Counting:
    """Counts how often it is asked."""

    def __init__(self, refuse=False):
        self.calls, self.refuse = 0, refuse

    def __call__(self):
        self.calls += 1
        if self.refuse:
            raise NotInvertibleError("cannot")
        missed = torch.tensor([0.1, 1e-9])
        return torch.full((2, 3, 4, 4), float(self.calls)), Certificate(
            missed, missed < 1e-3, message="so so"
        )


Y = torch.arange(6.0).view(2, 3)


def test_what_was_kept_is_not_asked_again(tmp_path):
    asked = Counting()
    first = OnDisk(tmp_path / "new", "key").recall(("refined", "stem"), Y, asked)
    again = OnDisk(tmp_path / "new", "key").recall(("refined", "stem"), Y, asked)
    assert asked.calls == 1
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a.x, b.x)
        assert replace(a, x=None) == replace(b, x=None)  # the time is that of the first run


@pytest.mark.parametrize("change", ["key", "words", "features"])
def test_other_questions_are_asked(tmp_path, change):
    asked = Counting()
    OnDisk(tmp_path, "key").recall(("refined", "stem"), Y, asked)
    words = ("refined", "head" if change == "words" else "stem")
    y = Y + 1 if change == "features" else Y
    OnDisk(tmp_path, "other" if change == "key" else "key").recall(words, y, asked)
    assert asked.calls == 2


def test_refusals_and_damaged_files_are_asked_again(tmp_path):
    refusing = Counting(refuse=True)
    for _ in range(2):
        assert OnDisk(tmp_path, "key").recall(("a",), Y, refusing)[0].message == "cannot"
    assert refusing.calls == 2
    asked = Counting()
    OnDisk(tmp_path, "key").recall(("b",), Y, asked)
    (kept,) = tmp_path.glob("answers-*")
    kept.write_bytes(kept.read_bytes()[:20])
    OnDisk(tmp_path, "key").recall(("b",), Y, asked)
    assert asked.calls == 2


def test_a_folder_that_cannot_be_written_costs_no_answer(tmp_path):
    (tmp_path / "file").write_text("")
    asked = Counting()
    assert len(OnDisk(tmp_path / "file" / "below", "key").recall(("a",), Y, asked)) == 2


def test_nothing_is_kept_without_a_memory():
    asked = Counting()
    for _ in range(2):
        Forgetful().recall(("a",), Y, asked)
    assert asked.calls == 2


def test_a_gallery_from_memory_is_the_same_and_inverts_nothing(engine, job, tmp_path, monkeypatch):
    remembering = replace(job, memory=OnDisk(tmp_path / "cache", "key"))
    first = gallery.run(engine, remembering, tmp_path / "out")
    for name in ("data_free", "calibrated", "solve"):
        monkeypatch.setattr(type(engine), name, None)
    again = gallery.run(engine, remembering, tmp_path / "out")
    assert again.cells == first.cells
    assert again.yardsticks == first.yardsticks
