"""Any value from any start, with evidence for each sample."""

import pytest
import torch
from small_networks import inverse_of, mlp, normal
from torch import nn

import preimage as pi
from preimage.errors import DomainError, NonFiniteError, NotInvertibleError, ShapeError
from preimage.inverse.preimages import LogitsUpToConstant, Probabilities, SomeOutputs, SomeProbabilities

ACTIVATIONS = {
    "leaky": lambda: nn.LeakyReLU(0.3),
    "prelu": nn.PReLU,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_of_the_network_are_reached_from_zero(name):
    network = mlp(30, 20, 20, 4, activation=ACTIVATIONS[name])
    y = network(normal(6, 30)).detach()
    x, certificate = inverse_of(network, 30).solve(y, start=torch.zeros(1, 30).double(), tol=1e-10)
    assert certificate.ok, str(certificate)
    assert ((network(x) - y).norm(dim=1) / y.norm(dim=1)).max() <= 1e-10


def test_float32_reaches_its_own_precision():
    network = mlp(30, 20, 20, 4).float()
    y = torch.eye(4)
    x, certificate = pi.invert(network, torch.zeros(1, 30)).solve(y, start=torch.zeros(1, 30), tol=1e-5)
    assert certificate.ok
    assert ((network(x) - y).norm(dim=1)).max() <= 1e-5


def test_a_start_without_gradient_is_left():
    network = mlp(6, 8, 2, activation=nn.ReLU)
    network[0].bias.data.fill_(-0.2)
    start = torch.zeros(1, 6).double()  # no unit is on, and none would be nearby
    assert (network[0](start) < 0).all()
    y = network(3 * normal(1, 6, seed=4)).detach()
    assert (y - network(start)).norm() > 0.1
    x, certificate = inverse_of(network, 6).solve(y, start=start, tol=1e-9)
    assert certificate.ok
    torch.testing.assert_close(network(x), y, rtol=1e-8, atol=1e-8)


def test_what_is_out_of_reach_is_not_called_found():
    network = mlp(5, 6, 3, activation=nn.Sigmoid)
    network.append(nn.Softplus())
    x, certificate = inverse_of(network, 5).solve(torch.tensor([[-1.0, 1.0, 1.0], [0.7, 0.7, 0.7]]).double())
    assert not certificate.converged[0]
    assert x.isfinite().all()


def test_only_what_f_sees_is_changed():
    network = nn.Linear(6, 2).double()
    start = normal(3, 6)
    y = normal(3, 2, seed=1)
    x, _ = inverse_of(network, 6).solve(y, start=start, tol=1e-12)
    null = torch.linalg.svd(network.weight.detach())[2][2:]  # (4, 6)
    torch.testing.assert_close(x @ null.T, start @ null.T)


class TestTargets:
    def test_some_outputs_are_prescribed_and_others_free(self):
        network = mlp(20, 16, 9)
        wanted = torch.tensor([[1.0, -2.0], [0.0, 3.0]]).double()
        x, certificate = inverse_of(network, 20).solve(
            SomeOutputs([7, 2], wanted), start=torch.zeros(1, 20).double(), tol=1e-10
        )
        assert certificate.ok
        torch.testing.assert_close(network(x)[:, [7, 2]], wanted)

    def test_probabilities(self):
        network = mlp(20, 16, 5)
        p = torch.tensor([[0.7, 0.1, 0.1, 0.05, 0.05], [0.2, 0.2, 0.2, 0.2, 0.2]]).double()
        x, certificate = inverse_of(network, 20).solve(Probabilities(p), tol=1e-9)
        assert certificate.ok
        torch.testing.assert_close(network(x).softmax(1), p, atol=1e-8, rtol=0)

    def test_some_probabilities(self):
        network = mlp(20, 16, 9)
        p = torch.tensor([[0.7, 0.2]]).double()
        x, certificate = inverse_of(network, 20).solve(SomeProbabilities([8, 1], p), tol=1e-10)
        assert certificate.ok
        torch.testing.assert_close(network(x).softmax(1)[:, [8, 1]], p, atol=1e-8, rtol=0)

    def test_logits_up_to_a_constant_are_all_differences(self):
        network = mlp(20, 16, 5)
        y = normal(3, 5)
        x, certificate = inverse_of(network, 20).solve(LogitsUpToConstant(y), tol=1e-9)
        assert certificate.ok
        torch.testing.assert_close(network(x).log_softmax(1), y.log_softmax(1), atol=1e-7, rtol=0)

    @pytest.mark.parametrize(
        ("make", "error", "message"),
        [
            (lambda: Probabilities(torch.tensor([[0.5, 0.6]])), DomainError, "total of 1"),
            (lambda: Probabilities(torch.tensor([[-0.5, 1.5]])), DomainError, "negative"),
            (lambda: LogitsUpToConstant(torch.zeros(3)), ShapeError, "numbers"),
            (lambda: LogitsUpToConstant(torch.full((1, 2), torch.inf)), NonFiniteError, "infinity"),
            (lambda: SomeProbabilities([1], torch.tensor([[1.5]])), DomainError, "above 1"),
            (lambda: SomeOutputs([1, 1], torch.zeros(1, 2)), ShapeError, "no position twice"),
            (lambda: SomeOutputs([1], torch.zeros(1, 2)), ShapeError, "2 values a row"),
        ],
    )
    def test_bad_targets(self, make, error, message):
        with pytest.raises(error, match=message):
            make()


class TestBadInput:
    def test_start(self):
        inverse = inverse_of(mlp(6, 5, 2), 6)
        with pytest.raises(ShapeError, match="start: got"):
            inverse.solve(normal(3, 2), start=torch.zeros(1, 7).double())
        with pytest.raises(ShapeError, match="2 samples for 3 answers"):
            inverse.solve(normal(3, 2), start=torch.zeros(2, 6).double())

    def test_whole_numbers_cannot_be_searched_for(self):
        network = nn.Sequential(nn.Embedding(7, 3), nn.Linear(3, 2)).double()
        inverse = pi.invert(network, torch.zeros(1, 4, dtype=torch.long))
        with pytest.raises(NotInvertibleError, match="whole numbers"):
            inverse.minimum_norm(normal(1, 4, 2))


def test_many_outputs_get_one_attempt_with_the_products_that_were_granted():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sigmoid()).double()  # 8 * 10 * 10 outputs
    inverse = pi.invert(network, torch.zeros(1, 3, 12, 12).double())
    y = torch.full((1, 8, 10, 10), 1.5).double()  # no sigmoid says so
    _, certificate = inverse.solve(y, start=torch.zeros(1, 3, 12, 12).double(), max_products=20)
    assert not certificate.ok
    assert certificate.iterations.max() <= 24


def test_a_brief_search_spends_what_was_granted_though_outputs_are_few():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(80, 60), nn.Tanh(), nn.Linear(60, 40)).double()
    inverse = pi.invert(network, torch.zeros(1, 80).double())
    y = 100 * torch.randn(2, 40).double()  # out of reach
    _, brief = inverse.solve(y, max_products=20)
    _, patient = inverse.solve(y)
    assert not brief.converged.any()
    assert int(brief.iterations.max()) <= 2 * 20
    assert int(patient.iterations.min()) > 200
