"""Averages over views: against a loop, and what moving does to pixels."""

import pytest
import torch
from class_problems import small_classifier

from preimage.classify import (
    AveragedViews,
    GenerativeClassifier,
    best_temperature,
    calibrate,
    mirrored,
    moved,
    picture_classifier,
    unchanged,
)


def pictures(rows=6):
    return torch.randint(0, 256, (rows, 1, 8, 8), generator=torch.Generator().manual_seed(0)).byte()


@pytest.fixture
def model() -> GenerativeClassifier:
    torch.manual_seed(0)
    made = picture_classifier((1, 8, 8), ("a", "b", "c"), steps=(1,), hidden_channels=(4,), temperature=3.0)
    with torch.no_grad():
        made.base.class_centres().normal_()
    return made.eval()


def test_it_is_the_mean_of_the_scores(model):
    x, views = pictures(), (unchanged, mirrored, moved(1, -1))
    both = AveragedViews(model, views)
    wanted = sum(model.class_scores(view(x)) for view in views) / 3
    assert torch.allclose(both.class_scores(x), wanted)
    assert torch.allclose(both.predict_proba(x), (wanted / 3.0 + model.log_prior).softmax(1), atol=1e-6)
    assert torch.equal(both.predict(x), both.predict_proba(x).argmax(1))
    assert (both.classes, both.class_names) == (3, ("a", "b", "c"))


def test_one_view_is_the_classifier(model):
    alone = AveragedViews(model, (unchanged,))
    assert torch.equal(alone.predict_proba(pictures()), model.predict_proba(pictures()))


def test_it_is_calibrated_by_itself(model):
    both, labels = AveragedViews(model, (unchanged, mirrored)), torch.tensor([0, 1, 2, 0, 1, 2])
    before = model.temperature.item()
    found = calibrate(both, pictures(), labels)
    assert found == pytest.approx(best_temperature(both.class_scores(pictures()), labels, both.log_prior))
    assert both.temperature.item() == pytest.approx(found, rel=1e-5)
    assert model.temperature.item() == before


def test_moving_is_a_shift_into_zeros():
    x = torch.arange(12).reshape(1, 1, 3, 4)
    for down in (-2, -1, 0, 1, 3):
        for right in (-3, 0, 2, 4):
            wanted = torch.zeros_like(x)
            for i in range(3):
                for j in range(4):
                    if 0 <= i - down < 3 and 0 <= j - right < 4:
                        wanted[0, 0, i, j] = x[0, 0, i - down, j - right]
            assert torch.equal(moved(down, right)(x), wanted)


def test_a_classifier_of_vectors_may_have_views_of_its_own():
    model = small_classifier()
    x = torch.randn(4, 2, dtype=torch.float64)
    both = AveragedViews(model, (unchanged, torch.neg))
    assert torch.allclose(both(x), both(-x))


def test_no_view_is_refused(model):
    with pytest.raises(ValueError, match="one or more"):
        AveragedViews(model, ())
