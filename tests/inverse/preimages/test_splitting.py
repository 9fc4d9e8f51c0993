"""Answers that no descent finds, by splitting a network at its elementwise functions."""

import pytest
import torch
from small_networks import inverse_of, mlp, normal
from torch import nn

import preimage as pi
from preimage.inverse.preimages import LogitsUpToConstant, Probabilities
from preimage.inverse.preimages.question import Question
from preimage.inverse.preimages.search.reach import Reach
from preimage.inverse.preimages.search.splitting import splitting
from preimage.inverse.solvers.nonlinear.allowed import Box
from preimage.inverse.solvers.nonlinear.effort import Effort


class Skip(nn.Module):
    """A residual block with a batch norm inside."""

    def __init__(self, size):
        super().__init__()
        self.inside = nn.Sequential(nn.Linear(size, size), nn.BatchNorm1d(size), nn.ReLU())

    def forward(self, x):
        return x + self.inside(x)


def folded():
    activation = nn.PReLU(init=-0.5).double()
    return mlp(40, 20, 20, 5, activation=lambda: activation, seed=2)


NETWORKS = {
    "relu": lambda: mlp(40, 20, 20, 5, activation=nn.ReLU, seed=2),
    "folded": folded,
    "sigmoid": lambda: mlp(40, 12, 12, 5, activation=nn.Sigmoid, seed=2),
    "gelu": lambda: mlp(40, 12, 12, 5, activation=nn.GELU, seed=2),
    "residual": lambda: nn.Sequential(nn.Linear(40, 12), Skip(12), nn.Linear(12, 5)).double().eval(),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 5, 8)), nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(54, 5)
    ).double(),
}


def question(network, y):
    return Question(inverse_of(network, 40), y)


def split(asked, start, tol=1e-9, allowed=None):
    reach = asked.reach(Effort(tol), allowed=allowed)
    return splitting(
        asked.f,
        asked.wanted,
        start,
        cut=asked.cut,
        polish=reach.once,
        effort=reach.effort,
        allowed=reach.allowed,
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_the_rest_of_the_network_is_the_affine_map(name):
    torch.manual_seed(0)
    network = NETWORKS[name]()
    x = normal(4, 40)
    y = network(x).detach()
    asked = question(network, y)
    z, q = asked.cut.wiring.forward(x)
    w = torch.cat([x, q, z], 1)
    torch.testing.assert_close(asked.cut.affine.project(w, y), w, atol=1e-10, rtol=0)  # already a point of A
    torch.testing.assert_close(torch.stack(asked.cut.wiring.nearest(z, q)), torch.stack((z, q)))  # and of B


def test_a_projection_is_the_nearest_point():
    y = normal(3, 5, seed=5)
    affine = question(NETWORKS["relu"](), y).cut.affine
    w = normal(3, affine.matrix.shape[1])
    nearest = affine.project(w, y)
    right = -affine.offset.expand(3, -1).clone()
    right[:, affine.hidden :] += y
    expected = (
        w + torch.linalg.lstsq(affine.matrix, (right - w @ affine.matrix.T).T, driver="gelsd").solution.T
    )
    torch.testing.assert_close(nearest, expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_of_the_network_are_found(name):
    torch.manual_seed(0)
    network = NETWORKS[name]()
    y = network(normal(4, 40, seed=3)).detach()
    x, certificate = split(question(network, y), torch.zeros(4, 40).double())
    assert certificate.ok, str(certificate)
    torch.testing.assert_close(network(x), y, rtol=1e-7, atol=1e-7)


@pytest.mark.shows("1-11")
@pytest.mark.parametrize("name", ["relu", "folded"])
def test_more_answers_than_descent_finds(name):
    network = NETWORKS[name]()
    y = torch.cat([torch.eye(5).double(), 2 * normal(5, 5, seed=4)])
    start = torch.zeros(1, 40).double()
    descent = Reach(network, Effort(1e-9)).once(y, start.expand(10, -1))[1]
    _, certificate = inverse_of(network, 40).solve(y, start=start, tol=1e-9)
    assert certificate.converged.sum() > descent.converged.sum()


def test_inside_a_box():
    network = NETWORKS["relu"]()
    y = network(torch.rand(2, 40, generator=torch.Generator().manual_seed(0)).double()).detach()
    box = Box(torch.zeros(1, 40).double(), torch.ones(1, 40).double())
    x, certificate = split(question(network, y), torch.full((2, 40), 0.5).double(), 1e-6, box)
    assert certificate.ok
    assert x.min() >= 0
    assert x.max() <= 1


def test_logits_up_to_a_constant_are_affine_and_probabilities_are_not():
    network = NETWORKS["relu"]()
    assert question(network, LogitsUpToConstant(normal(1, 5))).cut is not None
    assert question(network, Probabilities(torch.full((1, 5), 0.2).double())).cut is None


@pytest.mark.parametrize(
    "network",
    [
        nn.Linear(40, 3),  # nothing to cut
        nn.Sequential(nn.Unflatten(1, (1, 40)), nn.MaxPool1d(2), nn.ReLU(), nn.Flatten()),  # not affine
        nn.Sequential(nn.Linear(40, 5000), nn.ReLU(), nn.Linear(5000, 2)),  # too large
        nn.Sequential(nn.LayerNorm(40), nn.ReLU()),
    ],
)
def test_what_cannot_be_split(network):
    network = network.double()
    y = network(normal(1, 40)).detach()
    assert question(network, y).cut is None


def test_an_answer_out_of_range_is_not_called_found():
    network = mlp(6, 5, 3, activation=nn.Sigmoid).append(nn.Sigmoid()).double()
    inverse = pi.invert(network, torch.zeros(1, 6).double())
    x, certificate = inverse.solve(torch.tensor([[1.5, 0.5, 0.5]]).double(), start=torch.zeros(1, 6).double())
    assert not certificate.ok
    assert x.isfinite().all()
