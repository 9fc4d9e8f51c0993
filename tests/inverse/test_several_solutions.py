"""Blocks with several solutions: the layers before them tell which one is meant."""

import pytest
import torch
from torch import Tensor, nn

import preimage as pi
from preimage.inverse import execute
from preimage.inverse.rules import enclosed


class Wavy(nn.Module):
    """A residual block that takes many inputs to the same output."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return x + 3 * torch.sin(self.inner(x))


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 6), Wavy(), Wavy()).double()


def take_block_after_block(monkeypatch):
    """From here on no block asks what the layers before it can produce."""
    monkeypatch.setattr(execute, "DOUBT", float("inf"))
    monkeypatch.setattr(execute._Run, "_settled", lambda *_: None)


@pytest.mark.parametrize("seed", [0, 3])
def test_the_solution_that_earlier_layers_can_produce_is_found(seed, monkeypatch):
    net = network(seed)
    x = torch.randn(6, 3).double()
    y = net(x).detach()
    inverse = pi.invert(net, torch.zeros(1, 3).double())
    found, certificate = inverse.data_free(y)
    assert certificate.ok
    assert not certificate.message
    assert certificate.residual.max() < 1e-8
    torch.testing.assert_close(net(found), y, rtol=1e-7, atol=1e-7)
    take_block_after_block(monkeypatch)
    assert inverse.data_free(y)[1].residual.max() > 0.1


def test_what_the_chain_solves_is_left_alone(monkeypatch):
    net = network(1)
    inverse = pi.invert(net, torch.zeros(1, 3).double())
    y = net(torch.randn(2, 3).double()).detach()
    found, _ = inverse.data_free(y)
    take_block_after_block(monkeypatch)
    assert torch.equal(found, inverse.data_free(y)[0])


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_a_block_that_cannot_be_solved_puts_those_behind_it_in_doubt(seed, monkeypatch):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(3, 6), nn.SiLU(), Wavy(), Wavy()).double()
    y = net(torch.randn(6, 3).double()).detach()
    inverse = pi.invert(net, torch.zeros(1, 3).double())
    found, certificate = inverse.data_free(y)
    assert certificate.ok
    assert not certificate.message
    torch.testing.assert_close(net(found), y, rtol=1e-7, atol=1e-7)
    take_block_after_block(monkeypatch)
    assert inverse.data_free(y)[1].residual.max() > 0.1


def test_a_small_equation_spares_the_long_search_for_a_block(monkeypatch):
    net = network(0)
    y = net(torch.randn(6, 3).double()).detach()
    inverse = pi.invert(net, torch.zeros(1, 3).double())
    searches = []

    def searched(f, y, found, certificate, tolerance):
        searches.append(len(y))
        return found[0], certificate

    monkeypatch.setattr(enclosed, "continued", searched)
    assert inverse.data_free(y)[1].ok
    assert not searches
    take_block_after_block(monkeypatch)
    inverse.data_free(y)
    assert searches
