"""The closed-form start of a decoder."""

import numpy as np
import pytest
import torch
from decoder_networks import smooth_pictures
from torch.nn import functional

from preimage.decoders.blueprint import Blueprint
from preimage.decoders.network import DecoderNetwork
from preimage.decoders.sketching import sketch, standardise
from preimage.errors import ShapeError


def shuffled(x):
    """A linear network that loses nothing, (N, 3, 16, 16) -> (N, 12, 8, 8), and its mean colours."""
    y = functional.pixel_unshuffle(x, 2)
    return {"maps": 3 * y + 1, "colours": x.mean((2, 3))}


@pytest.fixture
def network():
    plan = Blueprint((3, 16, 16), {"maps": (12, 8, 8), "colours": (3,)}, widths=(4, 4), blocks=(1, 1))
    network = DecoderNetwork(plan)
    standardise(network, shuffled, smooth_pictures(40))
    return network


def test_features_are_standardised(network):
    maps = network.standardised(shuffled(smooth_pictures(40))["maps"], "maps")
    torch.testing.assert_close(maps.mean((0, 2, 3)), torch.zeros(12), atol=1e-4, rtol=0)
    torch.testing.assert_close(maps.std((0, 2, 3)), torch.ones(12), atol=1e-3, rtol=0)


def test_a_constant_channel_does_no_harm():
    plan = Blueprint((3, 16, 16), {"maps": (12, 8, 8)}, widths=(4,), blocks=(1,))
    network = DecoderNetwork(plan)
    standardise(network, lambda x: {"maps": 0 * shuffled(x)["maps"] + 2}, smooth_pictures(10))
    assert bool(network.standardised(torch.full((1, 12, 8, 8), 2.0), "maps").isfinite().all())


def test_what_is_linear_comes_back_exactly(network):
    noisy = torch.rand(200, 3, 16, 16, generator=torch.Generator().manual_seed(4))
    ridges = sketch(network, shuffled, noisy.split(50), [noisy[:20]])
    assert ridges["maps"] == min(ridges.values())
    x = smooth_pictures(4, seed=9)
    painted = network(shuffled(x)["maps"], "maps").detach()
    assert float((painted - x).abs().max()) < 0.01


def test_a_single_position_is_the_ridge_regression_of_textbooks(network):
    x, held = smooth_pictures(50, seed=2), smooth_pictures(20, seed=3)
    ridge = sketch(network, shuffled, [x], [held])["colours"]
    rows = network.standardised(shuffled(x)["colours"], "colours").flatten(1).double().numpy()
    pixels = functional.adaptive_avg_pool2d((x - network.average) / network.spread, (4, 4))
    targets = pixels.flatten(1).double().numpy()
    penalty = ridge * (rows**2).sum(0).mean() * np.eye(3)
    centred = rows - rows.mean(0)
    weight = np.linalg.solve(centred.T @ centred + penalty, centred.T @ (targets - targets.mean(0)))
    found = network.sketches[network.labels["colours"]].estimate.weight.detach().flatten(1).T.numpy()
    np.testing.assert_allclose(found, weight, atol=1e-4)


def test_useless_features_take_the_strongest_ridge(network):
    generator = torch.Generator().manual_seed(8)

    def noise(x):
        return {
            "maps": torch.randn(len(x), 12, 8, 8, generator=generator),
            "colours": torch.randn(len(x), 3, generator=generator),
        }

    x, held = smooth_pictures(12, seed=2), smooth_pictures(40, seed=3)
    ridges = sketch(network, noise, [x], [held])
    assert ridges == {"maps": 10.0, "colours": 10.0}


def test_pictures_and_held_pictures_are_both_needed(network):
    with pytest.raises(ShapeError, match="empty"):
        sketch(network, shuffled, [], [smooth_pictures(4)])
    with pytest.raises(ShapeError, match="empty"):
        sketch(network, shuffled, [smooth_pictures(4)], [])
