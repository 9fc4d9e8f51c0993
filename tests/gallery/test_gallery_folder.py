"""A report appears whole or not at all, and nothing of other people's is touched."""

from pathlib import Path

import pytest
from steps import Steps

from preimage import gallery
from preimage.errors import OutputError


@pytest.mark.parametrize("when", [2, 8, 11])
def test_an_interrupt_leaves_nothing_half_written(engine, job, tmp_path, when):
    progress = Steps(fail_at=when)
    with pytest.raises(KeyboardInterrupt):
        gallery.run(engine, job, tmp_path / "out", progress)
    assert list(tmp_path.iterdir()) == []
    assert progress.closed


def test_an_interrupt_keeps_the_earlier_report(engine, job, tmp_path):
    gallery.run(engine, job, tmp_path / "out")
    before = (tmp_path / "out/report.json").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        gallery.run(engine, job, tmp_path / "out", Steps(fail_at=9))
    assert (tmp_path / "out/report.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_earlier_report_is_replaced(engine, job, tmp_path):
    for _ in range(2):
        gallery.run(engine, job, tmp_path / "deep/er/out")
    assert [p.name for p in (tmp_path / "deep/er").iterdir()] == ["out"]


def test_other_peoples_files_are_not_touched(engine, job, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    progress = Steps()
    with pytest.raises(OutputError, match="not an earlier report"):
        gallery.run(engine, job, tmp_path, progress)
    assert progress.stages == []
    assert (tmp_path / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_written(engine, job, tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="folder"):
        gallery.run(engine, job, tmp_path / place)


def test_a_folder_without_permission(engine, job, tmp_path, monkeypatch):
    """Refusal is imitated: no folder refuses a user who may do everything."""

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(OutputError, match="cannot be written"):
        gallery.run(engine, job, tmp_path / "report")
