"""Confidence intervals of shares, against scipy."""

import pytest

from preimage.functional.statistics.proportion import clopper_pearson

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (9, 10), (236, 276), (1, 5000), (19_990, 20_000)]
)
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_clopper_pearson_is_scipys(successes, trials, confidence):
    found = clopper_pearson(successes, trials, confidence)
    wanted = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert found.value == successes / trials


@pytest.mark.parametrize(
    ("successes", "trials", "confidence"), [(-1, 3, 0.9), (4, 3, 0.9), (0, 0, 0.9), (1, 2, 1.0)]
)
def test_impossible_counts(successes, trials, confidence):
    with pytest.raises(ValueError, match="clopper_pearson"):
        clopper_pearson(successes, trials, confidence)
