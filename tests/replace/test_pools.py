"""Pools: every answer pools to y; templates, noise and places are those of the data."""

import pytest
import torch
from torch import nn

from preimage.errors import DomainError, NonFiniteError, NotInvertibleError, ShapeError
from preimage.replace import (
    AveragePoolReplacement,
    CovariantNoise,
    IndependentNoise,
    MaxPoolReplacement,
    NoiseReconstitution,
    norm_replacement,
)

FACTORS = {"global": ((6, 4), nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1))}
FACTORS["local"] = ((3, 2), nn.AvgPool2d((3, 2)), nn.MaxPool2d((3, 2)))


def maps(rows=400):
    """Maps with a template, a slope by position, and noise of unequal strength."""
    level = torch.randn(rows, 5, 1, 1).double()
    place = torch.linspace(-1, 1, 24).double().view(6, 4)
    noise = torch.randn(rows, 5, 6, 4).double() * (1 + place.abs())
    return 2 + level * (1 + 0.5 * place) + 3 * place.square() + 0.5 * noise


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.shows("0-15")
@pytest.mark.parametrize("where", FACTORS)
@pytest.mark.parametrize("noise", [None, CovariantNoise])
def test_every_answer_of_an_average_pool_pools_to_y(where, noise):
    factors, average, _ = FACTORS[where]
    pool = AveragePoolReplacement(5, factors, noise and noise(5, factors[0] * factors[1])).double()
    x = maps()
    y = average(x)
    torch.testing.assert_close(pool(x), y)
    torch.testing.assert_close(
        pool.inverse(y), y.repeat_interleave(factors[0], 2).repeat_interleave(factors[1], 3)
    )
    pool.fit(x.split(100))
    for found in (pool.inverse(y), pool.sample(y, generator())):
        assert (average(found) - y).abs().max() <= 1e-12
    assert pool.certified_inverse(y)[1].ok


@pytest.mark.shows("0-15")
def test_the_template_is_the_regression_of_every_position():
    pool, x = AveragePoolReplacement(5, (6, 4)).double(), maps()
    pool.fit([x])
    y = x.mean((2, 3))
    ones = torch.ones(len(y), 1).double()
    for channel in range(5):
        design = torch.cat([ones, y[:, channel : channel + 1]], 1)
        wanted = design @ torch.linalg.lstsq(design, x[:, channel].flatten(1)).solution
        found = pool.inverse(y[:, :, None, None])[:, channel].flatten(1)
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.shows("0-15", "0-18")
@pytest.mark.parametrize("noise", [IndependentNoise, CovariantNoise])
def test_noise_has_the_deviation_of_the_data_at_every_position(noise):
    pool = AveragePoolReplacement(5, (6, 4), noise(5, 24)).double()
    x = maps(200)
    pool.fit([x])
    y = pool(x)
    residual = (x - pool.inverse(y)).square().mean(0).sqrt().flatten(1)  # (C, P)
    torch.testing.assert_close(pool.noise.deviation(), residual, rtol=0.05, atol=0)
    drawn = pool.sample(y.repeat(60, 1, 1, 1), generator()) - pool.inverse(y.repeat(60, 1, 1, 1))
    torch.testing.assert_close(drawn.square().mean(0).sqrt().flatten(1), residual, rtol=0.05, atol=0)


@pytest.mark.shows("0-15")
def test_noise_doubles_the_error_and_restores_the_variance():
    pool, x = AveragePoolReplacement(5, (6, 4), CovariantNoise(5, 24, 2000)).double(), maps(2000)
    pool.fit([x])
    y, error, within = (
        pool(x),
        lambda z: (z - x).square().mean().item(),
        lambda z: z.var((2, 3)).mean().item(),
    )
    estimate, sample = pool.inverse(y), pool.sample(y, generator())
    assert error(sample) == pytest.approx(2 * error(estimate), rel=0.05)
    assert within(sample) == pytest.approx(within(x), rel=0.05)
    assert within(estimate) < 0.9 * within(x)


def test_covariant_noise_has_the_covariance_of_the_data():
    residual = torch.randn(150, 2, 5).double() @ torch.randn(5, 5).double()
    residual = residual - residual.mean(2, keepdim=True)
    noise = CovariantNoise(2, 5, 256).double()
    noise.fit(residual)
    drawn = noise.sample(60_000, generator()).flatten(1)
    torch.testing.assert_close(drawn.mT.cov(), residual.flatten(1).mT.cov(correction=0), rtol=0.05, atol=0.3)


@pytest.mark.shows("0-18")
def test_reconstitution_is_off_seedable_and_deterministic_when_asked():
    pool = AveragePoolReplacement(5, (6, 4)).double()
    pool.fit([maps()])
    y = torch.randn(3, 5, 1, 1).double()
    layer, asked = NoiseReconstitution(pool).eval(), NoiseReconstitution(pool, in_evaluation=True).eval()
    assert torch.equal(layer(y), pool.inverse(y))
    assert torch.equal(asked(y, generator()), asked(y, generator()))
    assert not torch.equal(asked(y, generator()), asked(y, generator(1)))
    assert torch.equal(layer.train()(y, generator()), pool.sample(y, generator()))
    unfitted = NoiseReconstitution(AveragePoolReplacement(5, (6, 4)).double())
    torch.testing.assert_close(unfitted(y), y.expand(3, 5, 6, 4))  # silent before the calibration phase


@pytest.mark.shows("0-16")
@pytest.mark.parametrize("where", FACTORS)
def test_every_answer_of_a_max_pool_pools_to_y_and_the_others_are_smaller(where):
    factors, _, largest = FACTORS[where]
    pool, x = MaxPoolReplacement(5, factors).double(), maps()
    y = largest(x)
    assert torch.equal(pool(x), y)
    for _ in range(2):  # before and after fitting
        for found in (pool.inverse(y), pool.sample(y, generator())):
            assert torch.equal(largest(found), y)
            up = y.repeat_interleave(factors[0], 2).repeat_interleave(factors[1], 3)
            assert (found <= up).all()
        pool.fit([x])
    assert (pool.inverse(y) - x).square().mean() < 0.8 * (up - x).square().mean()


@pytest.mark.shows("0-16")
def test_with_places_the_maxima_stand_where_they_stood():
    pool, x = MaxPoolReplacement(5, (3, 2)).double(), maps()
    pool.fit([x])
    y, indices = nn.functional.max_pool2d(x, (3, 2), return_indices=True)
    found = pool.inverse_at(y, pool.places(x))
    again, where = nn.functional.max_pool2d(found, (3, 2), return_indices=True)
    assert torch.equal(again, y)
    assert torch.equal(where, indices)


def test_learnt_places_have_the_frequencies_of_the_data():
    pool = MaxPoolReplacement(1, (2, 2)).double()
    x = torch.rand(4000, 1, 2, 2).double() + torch.tensor([[0.0, 0.5], [0.0, 0.0]])
    pool.fit([x])
    wanted = torch.bincount(x.flatten(1).argmax(1), minlength=4) / 4000
    torch.testing.assert_close(pool.frequency[0], wanted.double())
    drawn = pool.sample(pool(x), generator()).flatten(1).argmax(1)
    torch.testing.assert_close(torch.bincount(drawn, minlength=4) / 4000, wanted, rtol=0, atol=0.03)


@pytest.mark.shows("0-13")
@pytest.mark.parametrize(
    "norm",
    [nn.LayerNorm(6, eps=1e-9), nn.GroupNorm(2, 6, eps=1e-9), nn.RMSNorm(6, eps=1e-9)],
    ids=lambda m: type(m).__name__,
)
def test_norms_learn_the_statistics_they_lose(norm):
    replacement = norm_replacement(norm.double(), (6,)).double()
    level = torch.randn(500, 1).double()
    x = 4 + level + torch.randn(500, 6).double() * (0.3 + 0.1 * torch.arange(6))
    before = (replacement.inverse(norm(x)) - x).square().mean()
    replacement.fit(x)
    found = replacement.inverse(norm(x))
    assert (found - x).square().mean() < before / 2
    torch.testing.assert_close(norm(found), norm(x), rtol=1e-3, atol=1e-3)


def test_bad_input_is_refused():
    pool = AveragePoolReplacement(2, (2, 2))
    with pytest.raises(ShapeError, match="multiples"):
        pool(torch.zeros(1, 2, 3, 4))
    with pytest.raises(ShapeError):
        pool.inverse(torch.zeros(1, 3, 2, 2))
    with pytest.raises(DomainError, match="fewer than two"):
        pool.fit([])
    with pytest.raises(NonFiniteError, match="NaN"):
        pool.fit([torch.full((2, 2, 2, 2), float("nan"))])
    with pytest.raises(ShapeError, match="one place a value"):
        MaxPoolReplacement(2, 2).inverse_at(torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 1, 1).long())
    with pytest.raises(ValueError, match="3 or more"):
        IndependentNoise(2, 2)
    with pytest.raises(ShapeError, match="residuals"):
        IndependentNoise(2, 4).fit(torch.zeros(5, 2, 3))
    with pytest.raises(NotInvertibleError, match="LayerNorm"):
        norm_replacement(nn.BatchNorm1d(3), (3,))
