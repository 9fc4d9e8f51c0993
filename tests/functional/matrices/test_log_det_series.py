"""Estimates of log-determinants: unbiased, with honest standard errors."""

import math

import pytest
import torch
from scipy import stats

from preimage.functional.matrices.log_det_series import rademacher, roulette_weights, series_log_det
from preimage.layers import ExactLogDet, RussianRoulette, TruncatedSeries

torch.manual_seed(0)
SIZE = 5
RAW = torch.randn(SIZE, SIZE, dtype=torch.float64)
MATRIX = 0.9 * RAW / torch.linalg.matrix_norm(RAW, 2)
X = torch.randn(40, SIZE, dtype=torch.float64)


def contraction(x):
    return torch.tanh(x @ MATRIX.T)


def exact(x):
    return ExactLogDet().estimate(contraction, x, 0.9).value


def test_exact_against_autograd():
    matrices = [torch.autograd.functional.jacobian(lambda v: v + contraction(v[None])[0], row) for row in X]
    torch.testing.assert_close(exact(X), torch.linalg.slogdet(torch.stack(matrices)).logabsdet)


def test_weights_have_mean_one():
    weights = roulette_weights(200_000, 3, 0.7, torch.Generator().manual_seed(0))
    assert torch.equal(weights[:, :3], torch.ones(200_000, 3, dtype=torch.float64))
    for k in range(3, 9):
        column = weights[:, k]
        assert abs(column.mean() - 1) < 4.5 * column.std() / math.sqrt(200_000)


def test_russian_roulette_is_unbiased():
    """Over many calls, the mean differs from the truth by what its own spread explains: chi-squared."""
    roulette = RussianRoulette(probes=4000, terms=2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = roulette.estimate(contraction, X, 0.9)
    scores = (found.value - exact(X)) / found.standard_error
    # rows share the random lengths, not the directions: their scores are close to independent
    assert stats.chi2(len(X)).sf(float(scores.square().sum())) > 1e-3
    assert abs(float(scores.mean())) < 4 / math.sqrt(len(X)) + 1


def test_intervals_cover():
    """95 % intervals of single calls, over calls and rows."""
    generator = torch.Generator().manual_seed(2)
    roulette = RussianRoulette(probes=32, generator=generator)
    truth, quantile, inside = exact(X), float(stats.t(31).ppf(0.975)), []
    with torch.no_grad():
        for _ in range(100):
            low, high = roulette.estimate(contraction, X, 0.9).interval(quantile)
            inside.append(((low <= truth) & (truth <= high)).double().mean())
    assert 0.92 <= float(torch.stack(inside).mean()) <= 0.98


def test_a_truncated_series_stays_within_its_bias():
    truth = exact(X)
    for terms in (1, 3, 8):
        series = TruncatedSeries(probes=4000, terms=terms, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            found = series.estimate(contraction, X, 0.9)
        assert ((found.value - truth).abs() <= found.bias_bound + 5 * found.standard_error).all()
        assert found.bias_bound == pytest.approx(SIZE * 0.9 ** (terms + 1) / ((terms + 1) * 0.1))


def test_the_gradient_is_unbiased_and_keeps_no_graph_of_the_series():
    x, matrix = X[:2].clone().requires_grad_(), MATRIX.clone().requires_grad_()
    wanted = torch.autograd.grad(
        ExactLogDet().estimate(lambda x: torch.tanh(x @ matrix.T), x, 0.9).value.sum(), (x, matrix)
    )
    roulette = RussianRoulette(probes=6000, terms=6, generator=torch.Generator().manual_seed(4))
    value = roulette.estimate(lambda x: torch.tanh(x @ matrix.T), x, 0.9).value
    found = torch.autograd.grad(value.sum(), (x, matrix))
    for actual, truth in zip(found, wanted, strict=True):
        torch.testing.assert_close(actual, truth, atol=0.05, rtol=0.05)


def test_memory_of_the_graph_does_not_grow_with_the_number_of_terms():
    def nodes(terms):
        x = X[:2].clone().requires_grad_()
        value = series_log_det(contraction, x, rademacher(x, 1, None), torch.ones(1, terms))
        seen, open_nodes = set(), [value.grad_fn]
        while open_nodes:
            node = open_nodes.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            open_nodes += [following for following, _ in node.next_functions]
        return len(seen)

    assert nodes(3) == nodes(40)


def test_a_single_probe_has_no_standard_error():
    assert RussianRoulette().estimate(contraction, X, 0.9).standard_error.isnan().all()


def test_generators_make_estimates_repeatable():
    first, second = (
        RussianRoulette(2, generator=torch.Generator().manual_seed(5)).estimate(contraction, X, 0.9).value
        for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    "make",
    [lambda: RussianRoulette(0), lambda: RussianRoulette(continuation=1.0), lambda: TruncatedSeries(1, 0)],
)
def test_wrong_settings(make):
    with pytest.raises(ValueError, match="wanted"):
        make()
