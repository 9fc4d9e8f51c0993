"""The posterior of calibrated taps: coverage on new data, draws, samples that the network maps to y."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import preimage as pi
from preimage.errors import NotInvertibleError
from preimage.inverse.calibrate import DecoderFit
from preimage.inverse.posterior.calibrated import CalibratedPosterior
from preimage.inverse.posterior.error_fit import ErrorFit


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pictures(count, seed=0):
    """Smooth pictures ``(N, 2, 16, 16)`` of different contrast."""
    contrast = 0.3 + torch.rand(count, 1, 1, 1, generator=torch.Generator().manual_seed(seed)).double()
    noise = functional.avg_pool2d(normal(count, 2, 20, 20, seed=seed + 1), 5, stride=1)
    return contrast * noise * 5 + 0.1 * normal(count, 2, 16, 16, seed=seed + 2)


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(0)
    first = [nn.Conv2d(2, 6, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
    network = nn.Sequential(*first, nn.AvgPool2d(2), nn.Conv2d(6, 4, 1), nn.Flatten(), nn.Linear(64, 10))
    network = network.double().eval()
    x = pictures(64)
    inverse = pi.invert(network, x[:1], pi.Calibration(x), taps=["0", "2", "5"])
    return network, inverse, pictures(40, seed=50)


@pytest.mark.parametrize("tap", ["0", "2", "5"])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_hold_what_they_promise_on_new_pictures(made, tap, level):
    _, inverse, x = made
    posterior = inverse.posterior(inverse.features(x, [tap])[tap], tap)
    low, high = posterior.interval(level)
    covered = ((low <= x) & (x <= high)).double().mean().item()
    assert covered == pytest.approx(level, abs=0.03)
    assert posterior.mode == "calibrated on 64 inputs of 64 sources"
    assert "rest on 64 independent sources: 90 % means 90 % within" in posterior.certificate.message
    error = (x - posterior.mean).square().mean().sqrt().item()
    assert posterior.standard_deviation.square().mean().sqrt().item() == pytest.approx(error, rel=0.1)


@pytest.mark.shows("0-18")
def test_draws_have_the_spread_of_the_intervals_and_can_be_repeated(made):
    _, inverse, x = made
    y = inverse.features(x[:2], ["2"])["2"]
    posterior = inverse.posterior(y, "2")
    draws = posterior.draw(800, torch.Generator().manual_seed(3)).view(2, 800, *x.shape[1:])
    for level in (0.5, 0.9):
        low, high = (end[:, None] for end in posterior.interval(level))
        inside = ((low <= draws) & (draws <= high)).double().mean()
        assert inside.item() == pytest.approx(level, abs=0.01)
    deviation = draws.std(1) / posterior.standard_deviation
    assert deviation.min() > 0.85
    assert deviation.max() < 1.15
    away = (draws.mean(1) - posterior.mean) / posterior.standard_deviation
    assert away.abs().max() < 5 / 800**0.5
    again = posterior.draw(800, torch.Generator().manual_seed(3))
    assert torch.equal(again, draws.flatten(0, 1))
    neighbours = (draws - draws.mean(1, keepdim=True))[..., 1:] * (draws - draws.mean(1, keepdim=True))[
        ..., :-1
    ]
    assert neighbours.mean() > 0.2 * draws.var(1).mean()  # smooth pictures are wrong smoothly


@pytest.mark.parametrize("tap", ["2", "5"])
def test_samples_are_members_of_the_preimage(made, tap):
    _, inverse, x = made
    y = inverse.features(x[:2], [tap])[tap]
    posterior = inverse.posterior(y, tap)
    samples, certificate = posterior.sample(3, torch.Generator().manual_seed(0), tol=1e-8, max_products=400)
    assert certificate.ok
    again = inverse.features(samples, [tap])[tap]
    torch.testing.assert_close(again, y.repeat_interleave(3, 0), atol=1e-6, rtol=0)
    rows = samples.view(2, 3, -1)
    assert torch.pdist(rows[0]).min() > 0.1 * rows.std()  # and they differ
    away = (rows - posterior.mean.flatten(1)[:, None]).square().mean().sqrt()
    assert 0.5 < away / posterior.standard_deviation.square().mean().sqrt() < 1.5


@pytest.mark.shows("0-15")
def test_noise_below_a_pool_is_centred():
    pool = nn.AvgPool2d(4).eval()
    x = pictures(60)
    inverse = pi.invert(pool, x[:1], pi.Calibration(x))
    tap = inverse.taps[-1]
    y = pool(x[:3])
    posterior = inverse.posterior(y, tap)
    drawn = posterior.draw(4, torch.Generator().manual_seed(0))
    samples, certificate = posterior.sample(4, torch.Generator().manual_seed(0), tol=1e-12)
    assert certificate.ok
    torch.testing.assert_close(pool(samples), y.repeat_interleave(4, 0), atol=1e-11, rtol=0)
    assert (pool(drawn) - y.repeat_interleave(4, 0)).abs().mean() > 1e-3
    kept = (samples - drawn).square().mean().sqrt() / drawn.std()
    assert kept < 0.5  # the noise within the windows stays


def test_any_estimate_can_have_a_posterior(made):
    _, inverse, x = made
    y = inverse.features(x, ["0"])["0"]
    fit = DecoderFit(x.shape[1:], y.shape[1:])
    fit.update(x[:20], y[:20], torch.arange(20))
    estimate = fit.solve()  # stands for whatever was trained elsewhere
    errors = ErrorFit(x.shape[1:], y.shape[1:])
    errors.update(estimate(y[20:30]), y[20:30], x[20:30], torch.arange(10))
    posterior = CalibratedPosterior(inverse, y[30:], "0", estimate(y[30:]), errors.solve())
    low, high = posterior.interval(0.9)
    assert 0.8 < ((low <= x[30:]) & (x[30:] <= high)).double().mean() < 0.97
    assert posterior.draw(2).shape == (20, 2, 16, 16)
    assert len(posterior.certificate) == 10


def test_estimates_are_left_out(made):
    _, _, x = made
    fit = DecoderFit((2, 16, 16), (3,))
    y = normal(40, 3)
    fit.update(x, y, torch.arange(40) // 2)
    decoder = fit.solve()
    left_out = fit.left_out(y, torch.arange(40) // 2)
    assert left_out.shape == x.shape
    assert not torch.equal(left_out, decoder(y))
    without = DecoderFit((2, 16, 16), (3,))  # the first fold alone is missing
    rows = [n for n in range(40) if (n // 2) % 4 != 0]
    without.update(x[rows], y[rows], torch.arange(40)[rows] // 2)
    ridge = 1e-10
    same = without.solve(ridge)(y[:1])
    assert (left_out[:1] - same).square().mean() < (left_out[:1] - x[:1]).square().mean()


def test_a_posterior_survives_saving(made, tmp_path):
    network, inverse, x = made
    inverse.save(tmp_path / "saved")
    again = pi.load_inverse(tmp_path / "saved", network, x[:1])
    y = inverse.features(x, ["2"])["2"]
    one, other = inverse.posterior(y, "2"), again.posterior(y, "2")
    assert torch.equal(one.interval(0.8).low, other.interval(0.8).low)
    assert one.mode == other.mode
    assert torch.equal(
        one.draw(1, torch.Generator().manual_seed(0)), other.draw(1, torch.Generator().manual_seed(0))
    )


def test_a_decoder_whose_errors_were_not_measured_says_so(made):
    network, _, x = made
    inverse = pi.invert(network, x[:1], pi.Calibration(x[:8]), taps=["5"])
    inverse.decoders["5"].errors = None  # as in files of earlier versions
    with pytest.raises(NotInvertibleError, match="calibrate again"):
        inverse.posterior(network(x[:1]).detach(), "5")
