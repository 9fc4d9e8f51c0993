"""A LeakyReLU network 784-64-64-10, inverted layer by layer: an exact right inverse, and no left inverse."""

import math

import pytest
import torch
from torch import nn

from preimage.inverse import linear as li
from preimage.inverse.solvers import pseudo_inverse

SLOPE = 0.3


def _network():
    torch.manual_seed(0)
    layers = [nn.Linear(784, 64), nn.Linear(64, 64), nn.Linear(64, 10)]
    inverses = [
        pseudo_inverse(li.AffineMap(li.Dense(m.weight), m.bias)) for m in (m.double() for m in layers)
    ]
    leaky = nn.LeakyReLU(SLOPE)
    return nn.Sequential(layers[0], leaky, layers[1], leaky, layers[2]), inverses


def _inverse(inverses, y):
    first, second, third = inverses
    y = third.solve(y)
    y = second.solve(torch.where(y < 0, y / SLOPE, y))
    return first.solve(torch.where(y < 0, y / SLOPE, y))


@pytest.mark.shows("0-2")
def test_every_output_has_its_preimage_and_the_input_is_lost():
    network, inverses = _network()
    generator = torch.Generator().manual_seed(1)
    wanted = 3 * torch.randn(200, 10, dtype=torch.float64, generator=generator)
    x = torch.rand(200, 784, dtype=torch.float64, generator=generator)
    with torch.no_grad():
        assert (network(_inverse(inverses, wanted)) - wanted).abs().max() <= 1e-10
        y = network(x)
        back = _inverse(inverses, y)
        assert (network(back) - y).abs().max() <= 1e-10
    lost = ((back - x).norm() / x.norm()).item()
    assert 0.5 < lost < 20  # ten numbers cannot hold a picture
    assert [inverse.facts.guarantee for inverse in inverses] == ["right", "exact", "right"]
    assert all(math.isfinite(inverse.facts.condition) for inverse in inverses)
