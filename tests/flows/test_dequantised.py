"""Flows over whole numbers: the bound is a bound, and data come back as whole numbers."""

import math

import pytest
import torch

from preimage import Chain, flows
from preimage.flows import ClampedDequantisation, Flow, Normal
from preimage.layers import Affine


def normal(levels, deviation):
    """Levels spread, then a normal density around the middle."""
    flow = Flow(Chain(Affine(1)), Normal(1), surjection=ClampedDequantisation(levels)).double()
    with torch.no_grad():
        flow.bijection[0].log_scale.fill_(-math.log(deviation))
        flow.bijection[0].shift.fill_(-0.5 / deviation)
    return flow


@pytest.mark.shows("4-3")
def test_the_bound_lies_below_the_mass_of_each_level():
    torch.manual_seed(0)
    levels, deviation = 8, 0.2
    flow = normal(levels, deviation)
    x = torch.arange(levels, dtype=torch.float64)[:, None]
    bound = torch.stack([flow.log_prob(x).detach() for _ in range(4000)]).mean(0)
    edges = (torch.arange(levels + 1, dtype=torch.float64) / levels - 0.5) / deviation
    mass = torch.special.ndtr(edges).diff().log()
    assert (bound <= mass + 0.01).all()
    assert (bound >= mass - 0.3).all()
    # Jensen's gap is zero for a density that is flat within each bin.
    flat = Flow(Chain(Affine(1)), flows.Uniform(1), surjection=ClampedDequantisation(levels)).double()
    torch.testing.assert_close(flat.log_prob(x).detach(), torch.full_like(mass, -math.log(levels)))


def test_samples_are_levels_even_outside_of_the_box():
    torch.manual_seed(0)
    x = normal(8, 3.0).sample(500)
    assert x.min() == 0
    assert x.max() == 7
    assert torch.equal(x, x.round())


def test_pictures_of_bytes_train_and_count_bits():
    torch.manual_seed(0)
    pictures = torch.randint(96, 160, (256, 1, 8, 8), dtype=torch.uint8)
    flow = flows.glow((1, 8, 8), levels=2, steps=1, hidden_features=(8,), grey_levels=256)
    flow.fit(pictures, epochs=4, batch_size=32, learning_rate=3e-3, progress=False)
    assert flow.likelihood == "bound"
    bits = flow.bits_per_dim(pictures).mean().item()
    assert 6 < bits < 6.6  # the truth is log2(64) = 6
    assert flow.history[-1]["bits_per_dim"] == pytest.approx(bits, abs=0.2)
    drawn = flow.sample(3)
    assert drawn.shape == (3, 1, 8, 8)
    assert torch.equal(drawn, drawn.round())
    assert torch.equal(flow.decode(flow.encode(pictures[:4])), pictures[:4].float())
