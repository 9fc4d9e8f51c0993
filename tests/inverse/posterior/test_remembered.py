"""What the first batch norm tells of inputs: against inputs whose covariance is known."""

import pytest
import torch
from scipy.optimize import nnls
from torch import nn

import preimage as pi
from preimage.inverse.calibrate import Spectrum
from preimage.inverse.posterior.ensemble import EnsemblePosterior
from preimage.inverse.posterior.remembered import non_negative, remembered_covariance

SHAPE = (3, 32, 32)


def pictures(count, seed=0):
    """Strong grey noise of power 1 / f^2, and faint colours."""
    generator = torch.Generator().manual_seed(seed)
    i = torch.arange(32) / 32
    gain = 0.04 / (i[:, None] ** 2 + i**2).sqrt().clamp_min(0.5 / 32)
    metric = Spectrum((1, 32, 32), torch.eye(1), gain[None])
    grey = metric.root(torch.randn(count, 1, 32, 32, generator=generator))
    colour = metric.root(torch.randn(count * 3, 1, 32, 32, generator=generator)).view(count, *SHAPE)
    return grey + 0.2 * colour


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 24, 3, padding=1, stride=2), nn.BatchNorm2d(24, momentum=None), nn.LeakyReLU(0.3)
    )
    with torch.no_grad():
        for part in pictures(400).split(100):
            net.train()(part)
    return net.append(nn.AvgPool2d(2)).eval()


def test_the_covariance_is_that_of_the_training_data(network):
    inverse = pi.invert(network, torch.zeros(1, *SHAPE))
    covariance = remembered_covariance(inverse.graph, torch.zeros(1))
    drawn = covariance.root(torch.randn(200, *SHAPE, generator=torch.Generator().manual_seed(1)))
    real = pictures(200, seed=5)

    def colour(x):
        return (x - x.mean(1, keepdim=True)).std()

    for measure in (torch.std, lambda x: x.diff(dim=3).std(), lambda x: x.diff(dim=2).std(), colour):
        assert measure(drawn).item() == pytest.approx(measure(real).item(), rel=0.25)


def test_intervals_of_members_hold_about_what_they_promise(network):
    x = pictures(3, seed=9)
    inverse = pi.invert(network, x[:1])
    posterior = inverse.posterior(network(x).detach())
    assert isinstance(posterior, EnsemblePosterior)
    assert "as varied as the first batch norm remembers" in posterior.mode
    low, high = posterior.interval(0.9)
    assert 0.8 < ((low <= x) & (x <= high)).double().mean() < 0.99
    assert (posterior.mean - x).square().mean() < 0.3 * x.square().mean()
    assert (high - low).mean() < 2 * x.std()


def test_the_fit_is_that_of_scipy():
    matrix = torch.rand(20, 3, generator=torch.Generator().manual_seed(0)).double()
    wanted, _ = nnls(matrix.numpy(), torch.ones(20).double().numpy())
    assert (wanted > 0.01).all()
    torch.testing.assert_close(non_negative(matrix), torch.as_tensor(wanted), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([nn.Linear(9, 4)], (9,)),  # no neighbours
        ([nn.Conv2d(1, 2, 3)], (1, 12, 12)),  # no batch norm
    ],
)
def test_where_nothing_is_remembered(layers, shape):
    inverse = pi.invert(nn.Sequential(*layers).eval(), torch.zeros(1, *shape))
    assert remembered_covariance(inverse.graph, torch.zeros(1)) is None


def test_recordings_and_one_channel():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(1, 4, 5), nn.BatchNorm1d(4)).double().eval()
    graph = pi.invert(net, torch.zeros(1, 1, 40).double()).graph
    covariance = remembered_covariance(graph, torch.zeros(1).double())
    assert covariance.gain.dtype == torch.float64
    assert covariance.root(torch.ones(2, 1, 40).double()).isfinite().all()
