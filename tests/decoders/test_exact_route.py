"""Where every step back from a tap keeps everything, nothing is painted."""

import pytest
import torch
from decoder_networks import quick, smooth_pictures
from torch import nn

import preimage as pi


@pytest.fixture(scope="module")
def attached():
    torch.manual_seed(5)
    network = nn.Sequential(nn.Conv2d(3, 16, 2, stride=2), nn.Conv2d(16, 4, 2, stride=2)).eval()
    inverse = pi.invert(network, torch.zeros(1, 3, 8, 8), taps={"all": "0", "some": "1"})
    return pi.decoders.train(inverse, smooth_pictures(24, side=8), quick(), widths=(8,), blocks=(1,)).attach(
        inverse
    )


@pytest.mark.parametrize("method", ["calibrated", "solve"])
def test_what_is_kept_comes_back(attached, method):
    x = smooth_pictures(3, side=8, seed=9)
    found, certificate = getattr(attached, method)(attached.features(x)["all"], "all")
    torch.testing.assert_close(found, x, rtol=1e-3, atol=1e-4)
    assert certificate.ok
    assert "painted" not in certificate.message.replace("nothing was painted", "")
    assert certificate.message.startswith("exact")


@pytest.mark.parametrize("method", ["calibrated", "solve"])
def test_what_was_lost_is_painted(attached, method):
    y = attached.features(smooth_pictures(3, side=8, seed=9))["some"]
    assert "trained on pictures" in getattr(attached, method)(y, "some")[1].message


def test_features_that_no_input_has_are_painted_and_the_others_are_not(attached):
    y = attached.features(smooth_pictures(2, side=8, seed=9))["all"].clone()
    y[1] += torch.randn(y[1].shape, generator=torch.Generator().manual_seed(0))
    x, certificate = attached.calibrated(y, "all")
    assert certificate.converged.tolist() == [True, False]
    torch.testing.assert_close(x[1:], attached.decoder(y[1:], "all"))


def test_a_start_of_ones_own_is_searched_from(attached):
    x = smooth_pictures(1, side=8, seed=9)
    found, certificate = attached.solve(attached.features(x)["all"], "all", start=x)
    assert torch.equal(found, x)
    assert not certificate.message.startswith("exact")
