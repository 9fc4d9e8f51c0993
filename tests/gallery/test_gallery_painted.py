"""A trained decoder has a row of its own in a gallery, marked as calibrated; without one there is no row."""

from dataclasses import replace

import pytest
import torch
from fake_engine import FakeEngine

from preimage import gallery
from preimage.certificate import Certificate
from preimage.gallery.records import MODES
from preimage.gallery.summary import summary


class Painter:
    """Paints grey pictures, from one depth only."""

    painted = ("deep",)

    def calibrated(self, y, tap=None):
        missed = torch.full((len(y),), 0.4)
        return torch.zeros(len(y), 3, 32, 32), Certificate(
            missed, missed < 0.1, message="calibrated: painted"
        )

    def solve(self, y, *, tap, tol, start, max_products):
        self.starts = [*getattr(self, "starts", []), start]
        met = torch.zeros(len(y))
        return torch.ones(len(y), 3, 32, 32), Certificate(met, met < tol, message="refined by the painter")


class ProvingEngine(FakeEngine):
    """Its data-free answers are certified."""

    def data_free(self, y, *, tap):
        return self._enlarged(y, 0.0), self._certificate(y, 0.0)


@pytest.fixture
def painted(engine, job, tmp_path):
    return gallery.run(engine, replace(job, painter=Painter()), tmp_path / "out")


def test_the_painted_row_is_measured_where_the_decoder_was_trained(painted):
    assert painted.modes == ("data-free", "calibrated", "painted", "refined")
    deep, shallow = (painted.cell("hill", tap, "painted") for tap in ("deep", "shallow"))
    assert deep.score is not None
    assert deep.message == "calibrated: painted"
    assert not deep.converged
    assert shallow.score is None
    assert "not trained for shallow" in shallow.message
    assert [row["painted"]["pictures"] for row in painted.summary()] == [2, 2]


def test_the_refined_row_begins_where_the_painter_does(painted):
    deep, shallow = (painted.cell("hill", tap, "refined") for tap in ("deep", "shallow"))
    assert deep.message == "refined by the painter"
    assert deep.converged
    assert shallow.message == ""


@pytest.mark.parametrize("engine_type", [FakeEngine, ProvingEngine])
def test_a_proven_answer_is_where_refinement_begins(engine_type, model, job, tmp_path):
    painter = Painter()
    gallery.run(engine_type(model), replace(job, painter=painter), tmp_path / "out")
    proven = engine_type is ProvingEngine
    assert [start is not None for start in painter.starts] == [proven] * len(painter.starts)


def test_page_and_table_name_it(painted, tmp_path):
    page = (tmp_path / "out" / "index.html").read_text()
    assert "painted (calibrated)" in page
    assert "four ways" in page
    assert "--figures: 6" in page
    assert "<dt>painted</dt>" in page
    assert "painted: dB, features" in summary(painted)


def test_without_a_decoder_nothing_is_painted(engine, job, tmp_path):
    record = gallery.run(engine, job, tmp_path / "out")
    assert record.modes == MODES
    assert "painted" not in (tmp_path / "out" / "index.html").read_text().split("<body>")[1]
