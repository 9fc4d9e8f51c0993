"""Blocks with several solutions: the layers before them tell which one is meant."""

import pytest
import torch
from torch import Tensor, nn

import preimage as pi
from preimage.inverse import execute


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
    monkeypatch.setattr(execute, "DOUBT", float("inf"))  # block after block, without asking the others
    assert inverse.data_free(y)[1].residual.max() > 0.1


def test_what_the_chain_solves_is_left_alone(monkeypatch):
    net = network(1)
    inverse = pi.invert(net, torch.zeros(1, 3).double())
    y = net(torch.randn(2, 3).double()).detach()
    found, _ = inverse.data_free(y)
    monkeypatch.setattr(execute, "DOUBT", float("inf"))
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
    monkeypatch.setattr(execute, "DOUBT", float("inf"))
    assert inverse.data_free(y)[1].residual.max() > 0.1
