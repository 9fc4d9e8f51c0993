"""The whole gallery on a fake engine: what is written, what is flagged, what is never lost."""

import json
import re
from dataclasses import astuple, replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image
from steps import Steps

from preimage import gallery
from preimage.certificate import Certificate
from preimage.errors import PictureError
from preimage.gallery.measure import Effort


def test_every_picture_tap_and_mode_has_a_cell(record):
    seen = {(c.picture, c.tap, c.mode) for c in record.cells}
    wanted = {(p, t, m) for p in ("sea <1>", "hill") for t in ("shallow", "deep") for m in gallery.MODES}
    assert seen == wanted
    assert len(record.cells) == len(wanted)
    assert len(record.yardsticks) == 2 * 2 * 2


def test_numbers_are_those_of_the_metrics(engine, job, record):
    x = torch.stack([job.network.preprocess(p) for p in job.pictures.values()])
    unit = job.network.preprocessing.to_unit(x)
    y = engine.features(x, ["deep"])["deep"]
    answer, _ = engine.calibrated(y, tap="deep")
    back = job.network.preprocessing.to_unit(answer)
    cells = [record.cell(p, "deep", "calibrated").score for p in job.pictures]
    assert [c.psnr for c in cells] == pytest.approx(gallery.psnr(unit, back).tolist(), rel=1e-5)
    assert [c.ssim for c in cells] == pytest.approx(gallery.ssim(unit, back).tolist(), rel=1e-4)
    errors = gallery.feature_error(engine.features(answer, ["deep"])["deep"], y)
    assert [c.feature_error for c in cells] == pytest.approx(errors.tolist(), rel=1e-4)
    away = (unit - back).flatten(1).norm(dim=1) / (unit[0] - unit[1]).norm()
    assert [c.picture_error for c in cells] == pytest.approx(away.tolist(), rel=1e-4)


def test_report_is_strict_json_with_a_schema(record, tmp_path):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    report = json.loads((tmp_path / "out/report.json").read_text(), parse_constant=refuse)
    assert report["schema"] == gallery.SCHEMA
    assert report["depths"][1]["shape"] == [8, 8, 8]
    assert report["depths"][1]["ratio"] == pytest.approx(8 * 8 * 8 / (3 * 32 * 32))
    assert len(report["cells"]) == 12
    assert report["ledger"]["rows"] == [{"name": "conv", "guarantee": "right inverse"}]
    assert report["summary"][0]["refined"]["converged"] == 2
    assert report["summary"][0]["data-free"]["converged"] == 0


def test_page_is_whole_and_asks_the_network_for_nothing(record, tmp_path):
    text = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert "$" not in re.sub(r"base64,[\w+/=]*|\$\{|<script>.*</script>", "", text, flags=re.S)
    assert not re.findall(
        r"(?:src|href|url)\s*[=(]\s*[\"']?(?!data:|small\.src)[\w./:]", text.split("<script>")[0]
    )
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert "sea &lt;1&gt;" in text
    assert "sea <1>" not in text
    assert "region &lt;conv&gt;: right inverse" in text

    class Balanced(HTMLParser):
        void = frozenset({"meta", "img", "br", "input", "link", "line", "circle", "polyline"})

        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag not in self.void:
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert tag in self.void or self.open.pop() == tag

    parser = Balanced()
    parser.feed(text)
    assert parser.open == []


def test_failed_certificates_are_flagged_and_good_ones_are_not(record, tmp_path):
    text = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    cells = re.findall(r'<td data-row="([\w-]+)" data-depth="\d">(.*?)</td>', text, flags=re.S)
    assert cells
    for row, content in cells:
        assert ("⚑" in content) == (row in ("data-free", "calibrated"))


def test_refusal_is_shown_not_hidden(engine_class, model, job, tmp_path):
    engine = engine_class(model, refuses=("deep",))
    record = gallery.run(engine, job, tmp_path / "out")
    cell = record.cell("hill", "deep", "calibrated")
    assert cell.score is None
    assert not cell.converged
    assert "no calibration" in cell.message
    text = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert "no calibration &lt;for&gt; deep" in text
    summary = record.summary()[1]
    assert summary["calibrated"]["psnr"] is None
    assert summary["data-free"]["psnr"] is not None


def test_an_answer_that_is_not_finite_has_no_score(engine_class, model, job, tmp_path):
    class Broken(engine_class):
        def data_free(self, y, *, tap):
            x, certificate = super().data_free(y, tap=tap)
            return x * float("nan"), certificate

    record = gallery.run(Broken(model), job, tmp_path / "out")
    assert record.cell("hill", "deep", "data-free").score is None
    assert record.cell("hill", "deep", "refined").score is not None


def test_refinement_starts_from_a_proven_answer(engine_class, model, job, tmp_path):
    starts = []

    class Proven(engine_class):
        def data_free(self, y, *, tap):
            x = self._enlarged(y, 0.7)
            return x, self._certificate(y, 1e-7)

        def solve(self, y, *, tap, tol, start, max_products):
            starts.append(float((start - self._enlarged(y, 0.0)).mean()))
            return super().solve(y, tap=tap, tol=tol, start=start, max_products=max_products)

    gallery.run(Proven(model), job, tmp_path / "out")
    assert starts == pytest.approx([0.7] * 2, abs=1e-5)


def test_sheets_and_strip_are_pictures(record, tmp_path):
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["ghosts.png", "index.html", "report.json", "sheet-01-sea__1_.png", "sheet-02-hill.png"]
    with Image.open(tmp_path / "out/ghosts.png") as strip:
        assert strip.width > 2 * strip.height
        assert np.asarray(strip).std() > 20


def test_progress_tells_every_stage(engine, job, tmp_path):
    progress = Steps()
    gallery.run(engine, job, tmp_path / "out", progress)
    assert progress.stages == [("inverting", 6), ("writing", 5)]
    assert progress.done == 11
    assert progress.closed


def test_groups_of_pictures_give_the_same_numbers(engine, job, record, tmp_path):
    alone = replace(job, effort=Effort(batch=1))
    again = gallery.run(engine, alone, tmp_path / "alone")
    for cell in record.cells:
        other = again.cell(cell.picture, cell.tap, cell.mode).score
        assert astuple(other) == pytest.approx(astuple(cell.score), rel=1e-4)


def test_one_proven_picture_does_not_lend_its_start_to_another(engine_class, model, job, tmp_path):
    starts = []

    class Half(engine_class):
        def data_free(self, y, *, tap):
            residual = torch.tensor([1e-7, 0.5])
            return self._enlarged(y, 0.7), Certificate(residual, residual < 1e-4)

        def solve(self, y, *, tap, tol, start, max_products):
            starts.append((start - self._enlarged(y, 0.0)).flatten(1).mean(1).tolist())
            return super().solve(y, tap=tap, tol=tol, start=start, max_products=max_products)

    gallery.run(Half(model), job, tmp_path / "out")
    assert starts[0] == pytest.approx([0.7, 0.05], abs=1e-5)


def test_no_picture(engine, network, tmp_path):
    with pytest.raises(PictureError, match="at least one"):
        gallery.run(engine, gallery.Job(network, {}, ("shallow",)), tmp_path / "out")


def test_one_picture_has_no_normalised_error(engine, job, tmp_path):
    one = gallery.Job(job.network, {"hill": job.pictures["hill"]}, job.taps)
    record = gallery.run(engine, one, tmp_path / "out")
    assert record.distance is None
    assert record.cell("hill", "deep", "refined").score.picture_error is None


class TestCrops:
    def test_groups_keep_pictures_together(self, job):
        x, groups = gallery.crops(job.pictures, job.network.preprocessing, each=4)
        assert x.shape == (8, 3, 32, 32)
        assert groups == ("sea <1>",) * 4 + ("hill",) * 4

    def test_the_first_is_the_whole_centre_and_the_rest_differ(self, job):
        x, _ = gallery.crops(job.pictures, job.network.preprocessing, each=3)
        assert torch.equal(x[0], job.network.preprocess(job.pictures["sea <1>"]))
        assert not torch.equal(x[0], x[1])

    def test_reproducible(self, job):
        first, _ = gallery.crops(job.pictures, job.network.preprocessing, each=3)
        again, _ = gallery.crops(job.pictures, job.network.preprocessing, each=3)
        assert torch.equal(first, again)

    def test_no_picture(self, job):
        with pytest.raises(PictureError, match="at least one"):
            gallery.crops({}, job.network.preprocessing)


class TestProgress:
    class Terminal(list):
        def write(self, words):
            self.append(words)

        def flush(self):
            pass

        def isatty(self):
            return True

    def test_bar_on_a_terminal(self):
        terminal = self.Terminal()
        progress = gallery.progress_on(terminal)
        progress.stage("inverting", 2)
        progress.step("stem")
        progress.step("head")
        progress.close()
        shown = "".join(terminal)
        assert "inverting: head" in shown
        assert "2/2" in shown
        assert "left" in shown

    def test_lines_tell_the_time_left(self, monkeypatch):
        clock = iter(range(0, 1000, 6))
        monkeypatch.setattr("preimage.gallery.progress.time.monotonic", lambda: next(clock))
        terminal = self.Terminal()
        progress = gallery.Lines(terminal)
        progress.stage("inverting", 4)
        for label in ("a", "b", "c", "d"):
            progress.step(label)
        assert terminal == [
            "inverting: 4 steps\n",
            "inverting: 2/4 (b), about 12 s left\n",
            "inverting: 4/4 (d), about 0 s left\n",
        ]
