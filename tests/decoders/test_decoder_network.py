"""The network that paints."""

import pytest
import torch
from torch.nn import functional

from preimage.decoders.blueprint import Blueprint
from preimage.decoders.network import DecoderNetwork
from preimage.errors import ShapeError, UnknownTapError

TAPS = {"full": (5, 24, 20), "half": (6, 12, 10), "odd": (7, 5, 5), "tokens": (17, 4), "logits": (9,)}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return DecoderNetwork(Blueprint((3, 24, 20), TAPS, widths=(6, 8, 10), blocks=(1, 1, 2)))


def spread_out(network):
    """Weights that are not zero anywhere."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5)))
    return network


@pytest.mark.parametrize("tap", TAPS)
def test_every_tap_paints_a_picture(network, tap):
    y = torch.randn(2, *TAPS[tap])
    painted = spread_out(network)(y, tap)
    assert painted.shape == (2, 3, 24, 20)
    assert not torch.allclose(painted[0], painted[1])


@pytest.mark.parametrize("tap", TAPS)
def test_rows_do_not_see_each_other(network, tap):
    y = torch.randn(3, *TAPS[tap])
    spread_out(network)
    one_by_one = torch.cat([network(row[None], tap) for row in y])
    torch.testing.assert_close(network(y, tap), one_by_one)


def test_an_untrained_network_paints_the_average_picture(network):
    network.average.fill_(0.25)
    painted = network(torch.randn(2, 9), "logits")
    torch.testing.assert_close(painted, torch.full_like(painted, 0.25))


def test_a_network_that_starts_at_its_sketch_is_trainable(network):
    network(torch.randn(2, 6, 12, 10), "half").square().sum().backward()
    assert float(network.paints[0].bias.grad.abs().sum()) == 0  # of the squared zero picture
    network(torch.randn(2, 6, 12, 10), "half").sum().backward()
    assert float(network.paints[0].weight.grad.abs().sum()) > 0


def test_gains_weigh_what_is_added_to_the_sketch(network):
    spread_out(network)
    y = torch.randn(1, 9)
    sketch, painted = network.parts(y, "logits")
    network.gains[int(network.labels["logits"])] = 0.25
    torch.testing.assert_close(network(y, "logits"), sketch + 0.25 * painted)


def test_larger_pictures_are_painted_by_the_same_weights(network):
    """Away from the border a picture of twice the size is painted as its parts are."""
    spread_out(network)
    y = torch.randn(1, 6, 48, 40, generator=torch.Generator().manual_seed(2))
    large = network(y, "half", (96, 80))
    part = network(y[:, :, :24, :20], "half", (48, 40))
    torch.testing.assert_close(large[:, :, :16, :16], part[:, :, :16, :16])


def test_the_class_token_is_left_out(network):
    spread_out(network)
    y = torch.randn(1, 17, 4)
    changed = y.clone()
    changed[:, 0] += 1
    assert torch.equal(network(y, "tokens"), network(changed, "tokens"))


def test_the_sketch_is_a_convolution_and_a_shuffle(network):
    sketch = network.sketches[network.labels["half"]].estimate
    with torch.no_grad():
        sketch.weight.normal_()
    y = torch.randn(1, 6, 12, 10)
    blocks = functional.conv2d(y, sketch.weight, sketch.bias, padding=2)  # (1, 12, 12, 10)
    expected = torch.zeros(1, 3, 24, 20)
    for c in range(3):
        for i in range(2):
            for j in range(2):
                expected[:, c, i::2, j::2] = blocks[:, 4 * c + 2 * i + j]
    torch.testing.assert_close(network(y, "half"), expected)


@pytest.mark.parametrize(
    ("tap", "shape"),
    [("half", (2, 5, 12, 10)), ("logits", (2, 8)), ("tokens", (2, 17, 5)), ("half", (6, 12, 10))],
)
def test_features_of_another_shape_are_refused(network, tap, shape):
    with pytest.raises(ShapeError, match=tap):
        network(torch.zeros(shape), tap)


def test_unknown_taps_are_named(network):
    with pytest.raises(UnknownTapError, match="trained for"):
        network(torch.zeros(1, 9), "block 99")
