"""Training a picture decoder."""

import pytest
import torch
from decoder_networks import Square, quick, small_network, smooth_pictures

import preimage as pi
from preimage.decoders.network import DecoderNetwork
from preimage.decoders.train import FLOOR, balance, log_error, with_rates
from preimage.errors import ShapeError, UnknownTapError


@pytest.fixture(scope="module")
def inverse():
    return pi.invert(small_network(), torch.zeros(1, 3, 16, 16), taps=["1", "2", "5"])


def error(decoder, inverse, x, tap):
    return float((decoder(inverse.features(x, [tap])[tap], tap) - x).square().mean())


def test_training_beats_the_best_linear_map():
    torch.manual_seed(0)
    network = torch.nn.Sequential(Square(), torch.nn.Conv2d(1, 4, 2, stride=2)).eval()
    torch.nn.init.orthogonal_(network[1].weight)
    inverse = pi.invert(network, torch.zeros(1, 1, 8, 8), taps=["1"])
    pictures = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    shape = {"widths": (24,), "blocks": (1,)}
    linear = pi.decoders.train(inverse, pictures, quick(epochs=1, learning_rate=1e-12), **shape)
    trained = pi.decoders.train(inverse, pictures, quick(epochs=20, learning_rate=4e-3), **shape)
    x = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    assert error(trained, inverse, x, "1") < 0.5 * error(linear, inverse, x, "1")


def test_all_taps_are_trained_and_their_quality_is_on_the_card(inverse):
    decoder = pi.decoders.train(inverse, smooth_pictures(40), quick(), widths=(8, 8), blocks=(1, 1))
    unexplained = decoder.card["unexplained"]
    assert list(unexplained) == ["1", "2", "5"] == list(decoder.taps)
    assert unexplained["1"] < unexplained["5"] < 1.2  # logits tell less than maps


def test_the_network_that_is_inverted_stays_as_it_was(inverse):
    before = {name: value.clone() for name, value in inverse.network.state_dict().items()}
    pi.decoders.train(inverse, smooth_pictures(20), quick(epochs=1), widths=(4,), blocks=(1,))
    assert all(torch.equal(value, before[name]) for name, value in inverse.network.state_dict().items())


def test_the_same_call_gives_the_same_decoder_and_leaves_the_random_state(inverse):
    def run():
        return pi.decoders.train(
            inverse, smooth_pictures(20), quick(epochs=1), taps=["2"], widths=(4,), blocks=(1,)
        )

    torch.manual_seed(5)
    first = run().state_dict()
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    assert all(torch.equal(value, first[name]) for name, value in run().state_dict().items())


def test_augmentation_sees_training_batches_alone(inverse):
    seen = []

    def flip(x):
        seen.append(len(x))
        return x.flip(3)

    pi.decoders.train(
        inverse,
        smooth_pictures(16),
        quick(epochs=1),
        held=smooth_pictures(30),
        augment=flip,
        widths=(4,),
        blocks=(1,),
    )
    assert sum(seen) < 30  # a first look, and one epoch of 16; the held ones never


def test_given_pictures_are_held_out(inverse):
    held = torch.full((8, 3, 16, 16), 7.0)
    held[:4] = 6.0
    decoder = pi.decoders.train(
        inverse, smooth_pictures(20), quick(epochs=1), held=held, taps=["5"], widths=(4,), blocks=(1,)
    )
    assert decoder.card["unexplained"]["5"] > 0.3  # nothing of their kind was trained on


def test_wide_layers_learn_slowly_and_sketches_not_at_all(inverse):
    plan = pi.decoders.Blueprint((3, 16, 16), {"1": (12, 8, 8)}, widths=(64,), blocks=(1,))
    network = DecoderNetwork(plan)
    settings = with_rates(network, quick(learning_rate=1e-3))
    rates = {group.names: group.learning_rate for group in settings.groups}
    assert rates["levels.0.0.inner.weight"] == pytest.approx(1e-3 * (288 / 576) ** 0.5)
    assert not [name for name in rates if "adapters" in name or "bias" in name]
    assert not any(parameter.requires_grad for parameter in network.sketches.parameters())
    own = quick(groups=(pi.training.ParameterGroup("*", 1e-4),))
    assert with_rates(network, own) is own


def test_the_balance_is_the_share_of_least_error(inverse):
    torch.manual_seed(0)
    plan = pi.decoders.Blueprint((3, 16, 16), {"1": (12, 8, 8), "5": (5,)}, widths=(8,), blocks=(1,))
    network = DecoderNetwork(plan)
    x = smooth_pictures(12)
    torch.nn.init.normal_(network.paints[0].weight, std=0.02)

    def features(x):
        return inverse.features(x, ["1", "5"])

    with torch.no_grad():
        balance(network, features, [x[:6], x[6:]])
        found = network.gains.clone()
        errors = []
        for gain in torch.linspace(0, 1, 101):
            network.gains.fill_(gain)
            errors.append([float((network(y, k) - x).square().mean()) for k, y in features(x).items()])
    best = torch.tensor(errors).argmin(0) / 100
    torch.testing.assert_close(found, best, atol=0.011, rtol=0)


def test_the_loss_is_the_negative_mean_psnr():
    x = torch.rand(4, 3, 8, 8)
    decibels = -10 * (x - 0.5).square().flatten(1).mean(1).log10()
    expected = -decibels * torch.log(torch.tensor(10.0)) / 10
    torch.testing.assert_close(log_error(torch.full_like(x, 0.5), x), expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(log_error(x, x), torch.full((4,), FLOOR).log())


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"pictures": torch.zeros(20, 3, 8, 8)}, ShapeError, "must be inputs"),
        ({"pictures": [1, 2]}, ShapeError, "list"),
        ({"pictures": torch.zeros(4, 3, 16, 16)}, ShapeError, "at least"),
        ({"taps": ["nowhere"]}, UnknownTapError, "nowhere"),
        ({"taps": []}, UnknownTapError, "no taps"),
        ({"held": torch.zeros(0, 3, 16, 16)}, ShapeError, "wanted some"),
        ({"held": torch.zeros(2, 3, 8, 8)}, ShapeError, "held"),
    ],
)
def test_bad_input_is_refused(inverse, changes, error, message):
    given = {"pictures": smooth_pictures(20), **changes}
    with pytest.raises(error, match=message):
        pi.decoders.train(inverse, given.pop("pictures"), quick(epochs=1), widths=(4,), blocks=(1,), **given)


def test_inputs_that_are_no_pictures_are_refused():
    inverse = pi.invert(torch.nn.Linear(4, 2), torch.zeros(1, 4))
    with pytest.raises(ShapeError, match="one picture"):
        pi.decoders.train(inverse, torch.zeros(20, 4))
