"""Whitening beyond the laws that every bijection keeps."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from preimage.errors import NonFiniteError, NotInvertibleError
from preimage.functional.matrices.whitening import WHITENINGS, whitening, whitening_matrix
from preimage.functional.statistics.moments import feature_covariance
from preimage.layers import AdaptiveWhitening

METHODS = sorted(WHITENINGS)


def _mixing(size: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, size, generator=generator, dtype=torch.float64)


def _data(rows: int, size: int, *event: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    sources = torch.randn(rows, *event, size, generator=generator, dtype=torch.float64)
    return (sources @ _mixing(size) + 4).movedim(-1, 1)


def _covariance(size: int) -> Tensor:
    mixing = _mixing(size)
    return mixing.mT @ mixing + 0.1 * torch.eye(size, dtype=torch.float64)


# Five whitening matrices


@pytest.mark.shows("3-17")
@pytest.mark.parametrize("method", METHODS)
def test_every_method_whitens(method: str) -> None:
    covariance = _covariance(6)
    k = whitening_matrix(covariance, method)
    assert (k @ covariance @ k.mT - torch.eye(6)).abs().max() <= 1e-12


@pytest.mark.shows("3-17")
def test_methods_are_what_they_are_called() -> None:
    """Against scipy's matrix functions."""
    c = _covariance(5).numpy()
    deviation = np.sqrt(np.diag(c))
    correlation = c / np.outer(deviation, deviation)
    values, vectors = scipy.linalg.eigh(c)
    found = {name: whitening_matrix(torch.from_numpy(c), name).numpy() for name in METHODS}
    assert np.allclose(found["zca"], scipy.linalg.inv(scipy.linalg.sqrtm(c)))
    assert np.allclose(found["cholesky"], scipy.linalg.inv(scipy.linalg.cholesky(c, lower=True)))
    assert np.allclose(np.abs(found["pca"]), np.abs(vectors / np.sqrt(values)).T[::-1])
    assert np.allclose(found["zca_cor"], scipy.linalg.inv(scipy.linalg.sqrtm(correlation)) / deviation)
    values, vectors = scipy.linalg.eigh(correlation)
    assert np.allclose(np.abs(found["pca_cor"]), np.abs(vectors / np.sqrt(values)).T[::-1] / deviation)


def test_methods_can_be_added_once() -> None:
    with pytest.raises(ValueError, match="exists already"):
        whitening("zca")(lambda covariance: covariance)
    with pytest.raises(ValueError, match="wanted one of"):
        whitening_matrix(torch.eye(2), "none")
    for wrong in ({"method": "none"}, {"memory": 0}, {"adapt_every": 0}, {"eps": 0.0}):
        with pytest.raises(ValueError, match="AdaptiveWhitening"):
            AdaptiveWhitening(2, **wrong)


# The layer


@pytest.mark.shows("3-17")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("event", [(), (20,), (4, 5)])
def test_one_batch_is_whitened(method: str, event: tuple[int, ...]) -> None:
    layer = AdaptiveWhitening(4, method).double()
    y = layer(_data(300, 4, *event))
    mean, covariance, _ = feature_covariance(y)
    assert mean.abs().max() <= 1e-10
    assert (covariance - torch.eye(4)).abs().max() <= 1e-3


@pytest.mark.shows("3-17")
@pytest.mark.parametrize("method", METHODS)
def test_log_det_is_that_of_the_covariance(method: str) -> None:
    layer = AdaptiveWhitening(4, method, eps=0.01).double()
    x = _data(100, 4, 7)
    _, log_det = layer.forward_and_log_det(x)
    wanted = torch.cov(x.movedim(1, 0).flatten(1), correction=0) + 0.01 * torch.eye(4).double()
    assert (log_det + 7 * 0.5 * torch.linalg.slogdet(wanted).logabsdet).abs().max() <= 1e-9


@pytest.mark.shows("3-17")
def test_memory_is_a_queue_of_batches() -> None:
    """Statistics are those of the rows of the last three batches, of unequal sizes."""
    layer = AdaptiveWhitening(3, memory=3).double()
    batches = [
        _data(rows, 3, seed=rows) * scale for rows, scale in ((5, 9), (20, 1), (10, 2), (7, 3), (30, 1))
    ]
    for batch in batches:
        layer(batch)
    rows = torch.cat(batches[-3:])
    mean, covariance = layer.statistics()
    assert (mean - rows.mean(0)).abs().max() <= 1e-12
    assert (covariance - torch.cov(rows.mT, correction=0)).abs().max() <= 1e-11
    assert layer.rows.sum() == len(rows)


@pytest.mark.shows("3-17")
@pytest.mark.parametrize(("every", "wanted"), [(1, [1, 2, 3, 4, 5]), (2, [1, 3, 5]), (4, [1, 5]), (None, [])])
def test_adapts_when_it_is_due(every: int | None, wanted: list[int]) -> None:
    layer = AdaptiveWhitening(2, adapt_every=every).double()
    adapted = []
    for i in range(1, 6):
        before = layer.whitener
        layer(_data(10, 2, seed=i))
        adapted += [] if torch.equal(layer.whitener, before) else [i]
    assert adapted == wanted


@pytest.mark.shows("3-17")
def test_evaluation_mode_and_the_inverse_change_nothing() -> None:
    layer = AdaptiveWhitening(2).double()
    layer(_data(10, 2))
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer.inverse(_data(10, 2, seed=7))
    layer(_data(0, 2))
    layer.eval()
    layer(_data(10, 2, seed=8))
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    other = AdaptiveWhitening(2).double().eval()
    other.load_state_dict(before)
    assert torch.equal(other(_data(4, 2)), layer(_data(4, 2)))


@pytest.mark.shows("3-17")
@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e3])
def test_gradient_adaptation_converges(scale: float) -> None:
    """To ZCA, with a divergence that never grows, from the identity, whatever the size of the data."""
    layer = AdaptiveWhitening(8, adapt_every=None, eps=1e-8).double()
    layer(scale * _data(500, 8))
    divergences = [layer.adapt_step().item() for _ in range(100)]
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(divergences))
    assert divergences[0] > 1.0
    assert divergences[-1] <= 1e-9
    exact = AdaptiveWhitening(8, eps=1e-8).double()
    exact(scale * _data(500, 8))
    assert (layer.whitener - exact.whitener).abs().max() <= 1e-6 * exact.whitener.abs().max()
    assert torch.equal(layer.centre, exact.centre)


@pytest.mark.shows("3-18")
@pytest.mark.parametrize("method", METHODS)
def test_samples_have_the_covariance_of_the_data(method: str) -> None:
    layer = AdaptiveWhitening(5, method).double()
    x = _data(4000, 5)
    layer(x)
    layer.eval()
    normal = torch.randn(40000, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    samples = layer.inverse(normal)
    wanted = torch.cov(x.mT, correction=0)
    size = torch.sqrt(wanted.diagonal())
    error = (torch.cov(samples.mT) - wanted) / torch.outer(size, size)
    assert error.abs().max() <= 5 * math.sqrt(2 / 40000)
    assert ((samples.mean(0) - x.mean(0)) / size).abs().max() <= 5 / math.sqrt(40000)
    density = torch.distributions.TransformedDistribution(
        torch.distributions.Independent(torch.distributions.Normal(torch.zeros(5).double(), 1.0), 1),
        layer.inv.as_transform(event_dim=1),
    )
    exact = torch.distributions.MultivariateNormal(x.mean(0), wanted + 1e-5 * torch.eye(5).double())
    assert (density.log_prob(x[:50]) - exact.log_prob(x[:50])).abs().max() <= 1e-9


def test_data_of_lower_rank_stay_finite() -> None:
    layer = AdaptiveWhitening(4)
    x = torch.randn(3, 4)
    y, log_det = layer.forward_and_log_det(x)
    assert y.isfinite().all()
    assert log_det.isfinite().all()
    assert torch.allclose(layer.inverse(y), x, atol=1e-4)


def test_bad_batches_and_missing_batches_are_refused() -> None:
    layer = AdaptiveWhitening(2)
    with pytest.raises(NotInvertibleError, match="no batch was observed"):
        layer.adapt()
    with pytest.raises(NotInvertibleError):
        layer.adapt_step()
    x = torch.randn(5, 2)
    x[2, 0] = float("nan")
    with pytest.raises(NonFiniteError, match="clean or scale"):
        layer(x)
    assert layer.observed == 0


def test_two_passes_before_one_backward() -> None:
    """Adapting between them does not spoil the graph of the first."""
    layer = AdaptiveWhitening(2).double()
    x = _data(10, 2).requires_grad_()
    first = layer(x)
    kept = layer.whitener
    second = layer(_data(10, 2, seed=3))
    (first.sum() + second.sum()).backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, kept.sum(0).expand(10, 2))


@pytest.mark.parametrize("every", [1, 3])
def test_training_steps_compile_without_a_break(every: int) -> None:
    layer, compiled = (AdaptiveWhitening(2, adapt_every=every).double() for _ in range(2))
    run = torch.compile(compiled.forward_and_log_det, fullgraph=True, backend="eager")
    for seed in range(5):
        x = _data(10, 2, seed=seed)
        for wanted, actual in zip(layer.forward_and_log_det(x), run(x), strict=True):
            assert torch.allclose(actual, wanted)
