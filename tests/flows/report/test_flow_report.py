"""Plots show what they are given, and a report holds what can be computed by hand."""

import json
import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from preimage import flows
from preimage.errors import MissingExtraError, OutputError, ShapeError
from preimage.flows import report
from preimage.flows.report import figures
from preimage.flows.report.columns import axes_of
from preimage.layers import Affine
from preimage.training import LearningRates, find_learning_rate

pytest.importorskip("matplotlib")
stats = pytest.importorskip("scipy.stats")


def normal(scale=3.0, center=5.0):
    """The density of numbers with this mean and deviation."""
    layer = Affine(2)
    nn.init.constant_(layer.log_scale, -math.log(scale))
    nn.init.constant_(layer.shift, -center / scale)
    return flows.Flow(layer, flows.Normal(2))


def rows(count=800):
    return torch.randn(count, 2) * 3 + 5


def test_the_numbers_are_those_of_the_density():
    x = rows()
    found = report.describe(normal(), x, names=("a", "b")).numbers
    by_hand = stats.norm(5, 3).logpdf(x.numpy()).sum(1)
    assert found["held_out"]["mean_log_prob"] == pytest.approx(by_hand.mean(), rel=1e-5)
    assert found["held_out"]["standard_error"] == pytest.approx(
        by_hand.std(ddof=1) / math.sqrt(800), rel=1e-4
    )
    assert list(found["columns"]) == ["a", "b"]
    # A perfect density is within chance; one of other data is not.
    assert found["latents"]["largest_distance"] < 1.5 * found["latents"]["distance_by_chance"]
    wrong = report.describe(normal(center=9.0), x).numbers
    assert wrong["latents"]["mean_distance"] > 4 * wrong["latents"]["distance_by_chance"]
    assert min(wrong["columns"].values()) > 0.4


def test_reports_are_repeatable_and_leave_the_flow_alone():
    flow, x = normal().train(), rows(60)
    torch.manual_seed(3)
    first = report.describe(flow, x).numbers
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(expected, torch.rand(1))
    assert flow.training
    assert report.describe(flow, x).numbers == first
    assert report.describe(flow, x, seed=1).numbers != first


def test_infinite_densities_are_counted_and_not_averaged_away(tmp_path):
    flow = flows.Flow(Affine(2), flows.Uniform(2))
    x = torch.full((20, 2), 0.5)
    x[3] = 9.0
    found = report.describe(flow, x)
    assert found.numbers["held_out"]["not_finite"] == 1
    assert "1 rows have no finite density" in found.lead
    found.save(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["held_out"]["mean_log_prob"] is None


@pytest.mark.parametrize(("first", "second"), [((0, 1), (0.4, 1.5)), ((0, 1), (0, 1))])
def test_kolmogorov_distance(first, second):
    random = np.random.default_rng(0)
    a, b = random.normal(*first, 300), random.normal(*second, 500)
    assert report.kolmogorov_distance(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic, abs=1e-12)


def test_every_kind_of_flow_has_a_report(tmp_path):
    torch.manual_seed(0)
    conditional = flows.maf(2, context=3, transforms=1)
    found = report.describe(conditional, torch.randn(40, 2), torch.randn(40, 3))
    assert set(found.plots) == {"corner", "latents"}
    signals = flows.glow((2, 8), levels=2, steps=1, hidden_features=(4,))
    assert "bits per dimension" in report.describe(signals, torch.randn(20, 2, 8)).lead
    pictures = flows.glow((3, 4, 4), levels=1, steps=1, hidden_features=(4,), grey_levels=256)
    found = report.describe(pictures, torch.randint(0, 256, (20, 3, 4, 4)), title="<b>")
    assert set(found.plots) == {"samples", "latents"}
    assert "at least" in found.lead
    page = found.save(tmp_path / "new").read_text()
    assert "<b>" not in page
    assert not re.search(r"https?://", page)  # it needs nothing but itself


def test_a_conditional_base_has_a_report():
    from preimage.layers import Permutation

    base = flows.ConditionalLocationScale(2, network=nn.Linear(3, 4), context=3)
    flow = flows.Flow(Permutation([1, 0]), base)
    found = report.describe(flow, torch.randn(40, 2), torch.randn(40, 3))
    assert found.numbers["held_out"]["rows"] == 40


def test_the_training_curve_shows_both_losses_and_the_kept_epoch():
    history = [
        {
            "epoch": e,
            "loss": 10.0 / (e + 1),
            "validation_loss": abs(e - 6) + 1.0,
            "learning_rate": 1e-3,
            "rollbacks": int(e > 3),
        }
        for e in range(12)
    ]
    losses, rates = report.training_curve(history, per=2.0, unit="bits").axes
    first = {line.get_label(): line for line in losses.lines}
    np.testing.assert_allclose(first["training"].get_ydata(), [5.0 / (e + 1) for e in range(12)])
    assert first["kept: epoch 7, 0.5"].get_xdata() == [7]
    assert first["went back after a divergence"].get_xdata() == [5, 5]
    assert "bits" in losses.get_ylabel()
    assert rates.get_xlabel() == "epoch"


def test_the_learning_rate_curve_marks_the_suggestion():
    model = nn.Linear(2, 1)
    found = find_learning_rate(model, lambda m, b: m(b[0])[:, 0] ** 2, torch.randn(64, 2), steps=30)
    (axes,) = report.learning_rate_curve(found).axes
    np.testing.assert_allclose(axes.lines[0].get_xdata(), found.rates)
    assert axes.lines[1].get_xdata()[0] == found.suggestion
    with pytest.raises(ShapeError, match="sweep is empty"):
        report.learning_rate_curve(LearningRates([], [], math.nan))


def test_axes_know_words_whole_numbers_and_gaps():
    words, whole, real = axes_of(
        {"w": ["b", "a", None], "n": [0, 5, 90], "r": [0.5, np.nan, 0.7]},
        {"w": ["a", "a", "c"], "n": [1, 2, 3], "r": [0.1, 0.2, 0.3]},
    )
    assert words.labels == ("a", "b", "c")
    assert words.missing == (pytest.approx(1 / 3), 0.0)
    assert len(set(np.diff(whole.bins))) == 1
    assert np.diff(whole.bins)[0] == int(np.diff(whole.bins)[0])
    assert real.missing[0] == pytest.approx(1 / 3)
    with pytest.raises(ShapeError, match="wanted the same"):
        axes_of({"a": [1.0]}, {"b": [1.0]})


def test_corner_plots_have_their_histograms_in_place():
    random = np.random.default_rng(0)
    data = {"x": random.normal(size=200), "y": random.normal(size=200)}
    samples = {"x": random.normal(size=100) + 2, "y": random.normal(size=100)}
    top, upper, lower, _ = report.corner_plot(data, samples).axes
    bins = axes_of(data, samples)[0].bins
    shown = [patch.get_data().values for patch in top.patches]
    for values, drawn in zip((data["x"], samples["x"]), shown, strict=True):
        counts, _ = np.histogram(values, bins)
        np.testing.assert_allclose(drawn, counts / len(values) / np.diff(bins))
    assert upper.collections[0].get_cmap().name == "Oranges"
    assert lower.collections[0].get_cmap().name == "Blues"
    many = {f"c{n}": random.normal(size=20) for n in range(11)}
    assert len(report.corner_plot(many, many).axes) == 64


def test_sheets_put_every_picture_in_its_place():
    pictures = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(5, 3, 2, 2) * 10
    page = report.sheet(pictures, columns=2)
    assert page.shape == (8, 5, 3)
    assert page[3, 3, 0] == 30
    assert page[2, 0, 0] == 255
    with pytest.raises(ShapeError, match="wanted"):
        report.sheet(torch.zeros(2, 2, 4, 4))


def test_bad_arguments_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ShapeError, match="3 names for 2 numbers"):
        report.describe(normal(), rows(10), names=("a", "b", "c"))
    with pytest.raises(ShapeError, match="history is empty"):
        report.training_curve([])
    with pytest.raises(ShapeError, match=r"wanted \(N, D\)"):
        report.latent_check(np.zeros((2, 3)), np.zeros((2, 4)))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another place"):
        report.describe(normal(), rows(10)).save(tmp_path / "file/below")

    def absent():
        raise MissingExtraError("plots need matplotlib")

    monkeypatch.setattr(figures, "_matplotlib", absent)
    with pytest.raises(MissingExtraError):
        report.describe(normal(), rows(10))


def test_the_look_of_other_plots_is_left_alone():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    report.latent_check(np.zeros((5, 1)), np.ones((5, 1)))
    assert dict(mpl.rcParams) == before
