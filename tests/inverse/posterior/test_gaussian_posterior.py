"""The data-free posterior: against the dense formulas for linear networks, against integration for others."""

import math

import pytest
import torch
from torch import nn

import preimage as pi
from preimage.errors import DomainError, NotInvertibleError, ShapeError
from preimage.inverse.calibrate import Spectrum
from preimage.inverse.posterior.ensemble import EnsemblePosterior
from preimage.inverse.posterior.gaussian.posterior import GaussianPosterior
from preimage.inverse.preimages import Gaussian


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Skips(nn.Module):
    """Linear, with a skip connection, a value that two branches read, and a sum of them."""

    def __init__(self):
        super().__init__()
        self.first, self.left, self.right = nn.Linear(6, 6), nn.Linear(6, 5), nn.Linear(6, 4)
        self.merge = nn.Linear(5, 4)

    def forward(self, x):
        h = self.first(x) + x
        return self.merge(self.left(h)) + self.right(h)


class TwoAnswers(nn.Module):
    """Linear, with two outputs that meet at a hidden value."""

    def __init__(self):
        super().__init__()
        self.first, self.left, self.right = nn.Linear(6, 5), nn.Linear(5, 2), nn.Linear(5, 2)

    def forward(self, x):
        h = self.first(x)
        return self.left(h), self.right(h) + 0.1 * self.left(h)


def pooled():
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 9))


LINEAR = [
    (Skips, (6,)),
    (TwoAnswers, (6,)),
    (pooled, (2, 4, 4)),
    (lambda: nn.Linear(3, 7), (3,)),  # more equations than unknowns
    (lambda: nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 5)), (4,)),  # equations that say the same
]


def flat(network, x):
    y = network(x)
    return torch.cat([part.flatten(1) for part in (y if isinstance(y, tuple) else (y,))], 1)


def prior_of(shape, seed=1):
    size = math.prod(shape)
    root = normal(size, size, seed=seed)
    covariance = root @ root.T / size + 0.1 * torch.eye(size).double()
    mean = normal(size, seed=seed + 1)
    if len(shape) == 1:
        return Gaussian(mean, Spectrum.of_covariance(covariance)), mean, covariance
    prior = Gaussian(mean.view(shape), Spectrum.of_errors(normal(40, *shape, seed=seed).cumsum(2)))
    rows = prior.metric(torch.eye(size).double().view(size, *shape)).reshape(size, size)
    return prior, mean, rows


def dense(network, shape, mean, covariance, x):
    """Mean and covariance of x given y by the formulas for jointly normal vectors."""
    zero = torch.zeros(1, *shape).double()
    jacobian = torch.func.jacrev(lambda x: flat(network, x)[0])(zero).flatten(1)
    offset = flat(network, zero)[0]
    cross = covariance @ jacobian.T
    gain = cross @ torch.linalg.pinv(jacobian @ cross, rtol=1e-13, hermitian=True)
    found = mean + (flat(network, x) - offset - jacobian @ mean) @ gain.T
    return found.detach(), (covariance - gain @ cross.T).detach()


@pytest.mark.parametrize(("make", "shape"), LINEAR)
def test_a_linear_network_has_its_exact_posterior(make, shape):
    torch.manual_seed(0)
    network = make().double().eval()
    prior, mean, covariance = prior_of(shape)
    x = normal(5, *shape, seed=7)
    inverse = pi.invert(network, x[:1])
    y = network(x)
    y = tuple(v.detach() for v in y) if isinstance(y, tuple) else y.detach()
    posterior = inverse.posterior(y, prior=prior)
    wanted, spread = dense(network, shape, mean, covariance, x)
    torch.testing.assert_close(posterior.mean.flatten(1), wanted, atol=1e-8, rtol=0)
    torch.testing.assert_close(posterior.covariance[0], spread, atol=1e-8, rtol=0)
    deviation = spread.diagonal().clamp_min(0).sqrt().expand_as(wanted)
    torch.testing.assert_close(
        posterior.standard_deviation.flatten(1).square(), deviation.square(), atol=1e-8, rtol=0
    )
    assert posterior.is_exact
    assert "exact" in posterior.mode
    assert posterior.certificate.residual.max() < 1e-8


def test_draws_have_the_moments_and_samples_the_answer():
    torch.manual_seed(0)
    network = Skips().double().eval()
    prior, mean, covariance = prior_of((6,))
    x = normal(2, 6, seed=3)
    posterior = pi.invert(network, x[:1]).posterior(network(x).detach(), prior=prior)
    wanted, spread = dense(network, (6,), mean, covariance, x)
    for drawn in (
        posterior.draw(4000, torch.Generator().manual_seed(0)),
        posterior.sample(4000, torch.Generator().manual_seed(0), tol=1e-9)[0],
    ):
        rows = drawn.view(2, 4000, 6)
        torch.testing.assert_close(rows.mean(1), wanted, atol=0.08, rtol=0)
        torch.testing.assert_close(torch.cov(rows[1].T), spread, atol=0.1, rtol=0)
        assert (network(drawn) - network(x).repeat_interleave(4000, 0)).abs().max() < 1e-6
    again = posterior.draw(3, torch.Generator().manual_seed(5))
    assert torch.equal(again, posterior.draw(3, torch.Generator().manual_seed(5)))


@pytest.mark.parametrize("activation", [nn.Tanh(), nn.ReLU()], ids=lambda a: type(a).__name__)
def test_intervals_of_a_nonlinear_network_hold_what_they_promise(activation):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 6), activation, nn.Linear(6, 3)).double().eval()
    x = normal(60, 5, seed=4)
    posterior = pi.invert(network, x[:1]).posterior(network(x).detach(), prior=Gaussian.standard((5,)))
    low, high = posterior.interval(0.9)
    assert 0.8 < ((low <= x) & (x <= high)).double().mean() < 0.97
    assert not posterior.is_exact
    error = (posterior.mean - x).square().mean().sqrt()
    assert 0.75 < posterior.standard_deviation.square().mean().sqrt() / error < 1.3
    assert error < 0.9  # the prior alone has 1


def test_the_mean_of_a_nonlinear_posterior_is_that_of_numerical_integration():
    network = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Softplus()).double().eval()
    nn.init.constant_(network[0].weight, 1.0)  # y fixes the sum of two numbers; the difference is free
    y = torch.tensor([[0.2], [1.0], [3.0]]).double()
    posterior = pi.invert(network, torch.zeros(1, 2).double()).posterior(y, prior=Gaussian.standard((2,)))
    total = torch.log(torch.expm1(y))  # the sum
    torch.testing.assert_close(posterior.mean, (total / 2).expand(3, 2), atol=2e-2, rtol=0)
    away = posterior.standard_deviation - math.sqrt(0.5)
    assert away.abs().max() < 2e-2


def test_batch_norm_is_the_prior_where_there_is_no_data():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)).double()
    data = 2.0 + 3.0 * normal(4000, 8)
    network(data)
    network[1].momentum = None
    network[1].reset_running_stats()
    network(data)
    network.eval()
    x = 2.0 + 3.0 * normal(200, 8, seed=9)
    posterior = pi.invert(network, x[:1]).posterior(network(x).detach())
    low, high = posterior.interval(0.9)
    assert 0.8 < ((low <= x) & (x <= high)).double().mean() < 0.99
    assert (posterior.mean - x).square().mean() < x.var()
    plain = pi.invert(network, x[:1]).posterior(network(x).detach(), prior=Gaussian.standard((8,)))
    low, high = plain.interval(0.9)
    assert ((low <= x) & (x <= high)).double().mean() < 0.7  # without what batch norm remembers
    assert "batch norms" in posterior.mode


def test_a_batch_norm_of_the_input_itself_tells_every_column():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)).double().eval()
    network[0].running_mean.copy_(torch.tensor([1.0, 10.0, -5.0]))
    network[0].running_var.copy_(torch.tensor([1.0, 4.0, 9.0]))
    nn.init.zeros_(network[1].weight)
    network[1].weight.data[0, 0] = 1.0  # y tells the first column and nothing else
    x = torch.tensor([[2.0, 0.0, 0.0]]).double()
    posterior = pi.invert(network, x).posterior(network(x).detach())
    torch.testing.assert_close(posterior.mean, torch.tensor([[2.0, 10.0, -5.0]]).double())
    torch.testing.assert_close(posterior.standard_deviation, torch.tensor([[0.0, 2.0, 3.0]]).double())


def test_single_precision_and_several_inputs():
    class Sum(nn.Module):
        def forward(self, a, b):
            return a + 2 * b

    inverse = pi.invert(Sum(), (torch.zeros(1, 2), torch.zeros(1, 2)))
    posterior = inverse.posterior(torch.tensor([[5.0, -5.0]]))
    a, b = posterior.mean
    torch.testing.assert_close(a, torch.tensor([[1.0, -1.0]]))
    torch.testing.assert_close(b, torch.tensor([[2.0, -2.0]]))
    assert posterior.standard_deviation[0].dtype == torch.float32
    (a, b), certificate = posterior.sample(4, torch.Generator().manual_seed(0))
    assert certificate.ok
    assert a.std() > 0.1


def test_a_large_network_is_described_by_members_of_the_preimage():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.AvgPool2d(8), nn.Flatten()).eval()
    x = torch.randn(2, 1, 48, 48, generator=torch.Generator().manual_seed(1))
    inverse = pi.invert(network, x[:1])
    posterior = inverse.posterior(network(x).detach())
    assert isinstance(posterior, EnsemblePosterior)
    assert posterior.members.ok
    assert posterior.mean.shape == x.shape
    assert posterior.standard_deviation.min() > 0
    low, high = posterior.interval(0.9)
    assert (low < high).all()
    assert "members" in posterior.mode
    with pytest.raises(NotInvertibleError, match="2304"):
        inverse.posterior(network(x).detach(), prior=Gaussian.smooth((1, 48, 48)))


def test_wrong_questions_are_refused():
    network = nn.Linear(3, 2)
    inverse = pi.invert(network, torch.zeros(1, 3))
    posterior = inverse.posterior(torch.ones(1, 2))
    assert isinstance(posterior, GaussianPosterior)
    for level in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(DomainError, match="level"):
            posterior.interval(level)
    with pytest.raises(ShapeError, match="count"):
        posterior.draw(0)
    with pytest.raises(ShapeError):
        inverse.posterior(torch.ones(1, 5))
    with pytest.raises(DomainError, match="members"):
        EnsemblePosterior(inverse, torch.ones(1, 2), members=1)
