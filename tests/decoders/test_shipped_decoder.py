"""The decoder that ships for EfficientNet-Lite0, on packaged photographs that it was not trained on."""

import pytest
import torch

import preimage as pi
from preimage import decoders, zoo
from preimage.decoders.shipped import ASSETS
from preimage.errors import ModelFileError
from preimage.gallery import feature_error, psnr

LOGITS = zoo.Tap("logits", "_fc")


@pytest.fixture(scope="module")
def network():
    return zoo.load("efficientnet-lite0")


@pytest.fixture(scope="module")
def attached(network):
    inverse = pi.invert(network.module, network.example, taps={**network.taps, "logits": LOGITS})
    return decoders.load("efficientnet-lite0").attach(inverse)


@pytest.fixture(scope="module")
def x(network):
    return torch.stack([network.preprocess(p.read()) for p in zoo.pictures("demo")])


def quality(network, x, found):
    unit = network.preprocessing.to_unit
    return psnr(unit(x), unit(found))


def test_it_serves_every_tap(network, attached):
    assert attached.painted == (*network.taps, "logits")


def test_it_is_small():
    assert sum(path.stat().st_size for path in ASSETS.rglob("*")) < 20e6


def test_pictures_are_better_than_the_linear_sketch_and_fade_with_depth(network, attached, x):
    painter, before = attached.decoder.network, 100.0
    for tap in ("block 0", "block 2", "block 4", "block 7"):
        y = attached.features(x, [tap])[tap]
        painted = quality(network, x, attached(y, tap)).mean()
        with torch.no_grad():
            sketch = painter.parts(y, tap)[0] * painter.spread + painter.average
        assert quality(network, x, sketch).mean() < painted < before
        before = painted


def test_refinement_brings_the_features_closer_at_no_cost_to_the_picture(network, attached, x):
    y = attached.features(x[:1], ["block 2"])["block 2"]
    painted = attached(y, "block 2")
    refined, certificate = attached.solve(y, "block 2", max_products=12)

    def error(found):
        return float(feature_error(attached.features(found, ["block 2"])["block 2"], y))

    assert error(refined) < 0.5 * error(painted)
    assert bool((quality(network, x[:1], refined) > quality(network, x[:1], painted)).all())
    assert int(certificate.iterations.max()) <= 12


def test_learnt_corrections_are_worth_half_a_decibel_of_the_same_budget(network, attached, x):
    plain = attached.decoder.with_corrector(None).attach(attached.inverse)
    y = attached.features(x[:1], ["block 2"])["block 2"]
    (before, _), (after, evidence) = (a.solve(y, "block 2", max_products=24) for a in (plain, attached))
    assert attached.decoder.corrected == ("block 2", "block 4")
    assert quality(network, x[:1], after).item() > quality(network, x[:1], before).item() + 0.5
    assert int(evidence.iterations.max()) <= 24


def test_another_size_of_the_network_is_served_through_its_own_maps(network, attached):
    """The decoder is convolutional: at another size it still paints, where the picture's size is said."""
    y = attached.features(network.example, ["block 4"])["block 4"]
    assert attached.decoder(y[:, :, :16, :16], "block 4", (128, 128)).shape == (1, 3, 128, 128)


def test_other_weights_are_refused():
    with pytest.raises(ModelFileError, match="another network"):
        decoders.load("efficientnet-lite0").attach(
            pi.invert(torch.nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8))
        )
