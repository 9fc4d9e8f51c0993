"""The estimators keep scikit-learn's own rules."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from preimage.estimators import FlowClassifier, FlowDensity

SHORT = {"transforms": 1, "hidden_features": (8,)}


@parametrize_with_checks(
    [
        FlowDensity(epochs=2, transforms=1, hidden_features=(4,)),
        FlowClassifier(epochs=15, batch_size=64, learning_rate=3e-2, hold_out=0.0, random_state=0, **SHORT),
    ]
)
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def rows():
    return np.random.RandomState(0).randn(300, 2) * [1.0, 5.0] + [0.0, 20.0]


def test_finds_a_normal_density(rows):
    density = FlowDensity(epochs=20, random_state=0).fit(rows)
    held = np.random.RandomState(1).randn(300, 2) * [1.0, 5.0] + [0.0, 20.0]
    entropy = np.log(2 * np.pi * np.e) + np.log(5.0)
    assert density.score(held) == pytest.approx(-entropy, abs=0.25)
    drawn = density.sample(2000, random_state=0)
    assert drawn.mean(0) == pytest.approx([0.0, 20.0], abs=1.0)


def test_is_repeatable(rows):
    first, second = (FlowDensity(epochs=2, random_state=3).fit(rows) for _ in range(2))
    assert np.array_equal(first.score_samples(rows), second.score_samples(rows))
    assert np.array_equal(first.sample(3, random_state=1), second.sample(3, random_state=1))


def test_works_in_a_pipeline_and_a_search(rows):
    short = FlowDensity(epochs=1, transforms=1, random_state=0)
    search = GridSearchCV(make_pipeline(StandardScaler(), short), {"flowdensity__transforms": [1, 2]}, cv=2)
    assert search.fit(rows).best_params_["flowdensity__transforms"] in (1, 2)
    assert clone(short).get_params() == short.get_params()


def test_an_unknown_preset_is_refused(rows):
    with pytest.raises(ValueError, match="wanted one of"):
        FlowDensity("gaussian").fit(rows)


def test_tells_two_clouds_apart_whatever_their_labels():
    generator = np.random.RandomState(0)
    y = np.array(["left", "right"])[generator.randint(2, size=400)]
    X = generator.randn(400, 2) + np.where(y == "left", -2.0, 2.0)[:, None] * [1.0, 0.0]
    model = FlowClassifier(epochs=30, learning_rate=2e-2, batch_size=64, random_state=0, **SHORT).fit(X, y)
    assert model.score(X, y) > 0.95  # the best possible is 0.977
    assert model.classes_.tolist() == ["left", "right"]
    ahead = np.log(model.predict_proba([[1.0, 0.0]]))[0]
    assert ahead[1] - ahead[0] == pytest.approx(4.0, abs=1.5)  # the true log-odds
    assert model.score_samples([[0.0, 30.0]]) < model.score_samples([[2.0, 0.0]]) - 10


def test_density_of_the_classifier_is_in_the_units_of_the_columns():
    generator = np.random.RandomState(0)
    X = generator.randn(400, 2) * [100.0, 0.01]
    y = generator.randint(2, size=400)
    model = FlowClassifier(epochs=10, alpha=1.0, learning_rate=1e-2, random_state=0, **SHORT).fit(X, y)
    entropy = np.log(2 * np.pi * np.e)  # of two normal numbers whose deviations have product 1
    assert model.score_samples(X).mean() == pytest.approx(-entropy, abs=0.3)
