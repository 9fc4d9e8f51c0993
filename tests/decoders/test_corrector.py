"""Learnt corrections of painted pictures."""

import pytest
import torch
from decoder_networks import Square, quick, small_network, smooth_pictures
from scipy.linalg import fractional_matrix_power

import preimage as pi
from preimage.decoders.blueprint import Blueprint
from preimage.decoders.correct import corrected, measured, unrolled
from preimage.decoders.corrector_network import CorrectorNetwork, Misfit
from preimage.decoders.train_corrector import balance, made_for, standardise, weights
from preimage.errors import ModelFileError, ShapeError, UnknownTapError

TAPS = {"early": "1", "late": "2", "logits": "5"}


@pytest.fixture(scope="module")
def attached():
    inverse = pi.invert(small_network(), torch.zeros(1, 3, 16, 16), taps=TAPS)
    decoder = pi.decoders.train(inverse, smooth_pictures(40), quick(epochs=3), widths=(12, 12), blocks=(1, 1))
    return decoder.attach(inverse)


@pytest.fixture(scope="module")
def mended(attached):
    settings = quick(epochs=4, learning_rate=4e-3)
    return pi.decoders.train_corrector(
        attached, smooth_pictures(60), settings, taps=["early"], widths=(12, 12), blocks=(1, 1)
    )


def fresh(attached, taps=("early",), seed=5):
    """A corrector with random weights: one that was not trained corrects nothing."""
    torch.manual_seed(seed)
    network = made_for(attached.decoder.network, taps, (8, 8), (1, 1)).requires_grad_(False)
    torch.nn.init.normal_(network.paint.weight, std=0.1)
    return network


def on_the_way(attached, tap="early", count=2):
    truth = smooth_pictures(count, seed=11)
    y = attached.features(truth, [tap])[tap]
    return truth, y, attached.decoder(y, tap)


def squared_error(found, truth):
    return float((found - truth).square().mean())


def test_a_few_products_go_further_on_pictures_that_were_not_trained_on(attached, mended):
    truth, y, painted = on_the_way(attached, count=12)
    network = mended.decoder.corrector
    once = next(unrolled(mended.map_to("early"), y, "early", attached.decoder.network, network, 1, painted))
    assert squared_error(once, truth) < 0.95 * squared_error(painted, truth)
    plain, _ = attached.solve(y, "early", max_products=24)
    found, after = mended.solve(y, "early", max_products=24)
    assert squared_error(found, truth) < squared_error(plain, truth)
    assert int(after.iterations.max()) <= 24
    assert "painted" in after.message


def test_one_shot_answers_stay_as_they_were(attached, mended):
    _, y, painted = on_the_way(attached)
    assert torch.equal(mended(y, "early"), painted)
    _, y, _ = on_the_way(attached, "late")
    assert torch.equal(mended.solve(y, "late")[0], attached.solve(y, "late")[0])


@pytest.mark.parametrize("products", [1, 2, 3, 4])
def test_the_budget_is_kept(mended, attached, products):
    _, y, _ = on_the_way(attached)
    _, certificate = mended.solve(y, "early", max_products=products)
    assert int(certificate.iterations.max()) <= products


def test_the_users_own_start_is_not_corrected(mended, attached):
    truth, y, _ = on_the_way(attached)
    x, _ = mended.solve(y, "early", start=truth, tol=1e-3)
    assert torch.equal(x, truth)


def test_misfits_are_what_they_say(attached):
    _, y, x = on_the_way(attached)
    network, decoder, f = fresh(attached), attached.decoder.network, attached.map_to("early")
    network.entry("early").weights.copy_(torch.randn(12, 12))
    moved = x + 0.1
    found = measured(f, moved, x, y, "early", decoder, network)
    jacobian = torch.autograd.functional.jacobian(lambda v: f(v[None])[0].flatten(), moved[0])
    missing = y[0] - f(moved)[0]
    weighed = torch.einsum("cd,dhw->chw", network.entry("early").weights, missing)
    expected = (jacobian.flatten(1).mT @ weighed.flatten()).view(3, 16, 16)
    torch.testing.assert_close(found.gradient[0], expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.missing[0], missing)
    torch.testing.assert_close(found.echo, x - attached.decoder(f(moved), "early"))
    assert not found.gradient.requires_grad


def test_an_untrained_corrector_changes_nothing(attached):
    _, y, painted = on_the_way(attached)
    network = made_for(attached.decoder.network, ["early"], (8, 8), (1, 1))
    f = attached.map_to("early")
    assert torch.equal(corrected(f, y, "early", attached.decoder.network, network), painted)


@pytest.mark.parametrize("tap", TAPS)
def test_corrections_that_lead_away_from_the_features_are_not_kept(attached, tap):
    _, y, painted = on_the_way(attached, tap)
    network, f = fresh(attached, [tap]), attached.map_to(tap)
    torch.nn.init.normal_(network.paint.weight, std=10.0)
    x = corrected(f, y, tap, attached.decoder.network, network)
    assert bool(((f(x) - y).flatten(1).norm(dim=1) <= (f(painted) - y).flatten(1).norm(dim=1)).all())
    torch.nn.init.constant_(network.paint.weight, float("nan"))
    assert torch.equal(corrected(f, y, tap, attached.decoder.network, network), painted)


def test_samples_do_not_touch_each_other(attached):
    _, y, _ = on_the_way(attached, count=3)
    network, decoder, f = fresh(attached), attached.decoder.network, attached.map_to("early")
    together = corrected(f, y, "early", decoder, network)
    alone = torch.cat([corrected(f, part, "early", decoder, network) for part in y.split(1)])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("size", [(16, 16), (15, 21), (7, 3)])
@pytest.mark.parametrize("shape", [(5, 16, 16), (6, 4, 4), (17, 9), (10,), (4, 1, 1)])
def test_pictures_and_taps_of_every_size_are_served(size, shape):
    network = CorrectorNetwork(Blueprint((2, *size), {"a.b": shape}, widths=(8, 8, 8), blocks=(1, 1, 1)))
    torch.nn.init.normal_(network.paint.weight)
    channels = shape[0] if len(shape) == 3 else shape[1] if len(shape) == 2 else shape[0]
    maps = torch.randn(
        2, channels, *(shape[1:] if len(shape) == 3 else (4, 4) if len(shape) == 2 else (1, 1))
    )
    x = torch.randn(2, 2, *size)
    found = network(Misfit(x, x, x, maps, maps), "a.b")
    assert found.shape == x.shape
    assert bool(found.isfinite().all())
    other = network(Misfit(x, x, x, maps, 2 * maps), "a.b")
    assert not torch.equal(found, other)  # the features reach the picture


def test_weights_are_a_power_of_the_inverse_covariance():
    missing = torch.randn(4, 500, dtype=torch.float64) * torch.tensor([[1.0], [2.0], [0.5], [1.0]])
    covariance = missing @ missing.mT / 500
    expected = torch.as_tensor(fractional_matrix_power(covariance.numpy(), -0.75))
    expected /= torch.linalg.eigvalsh(expected).max()
    torch.testing.assert_close(weights(missing), expected)
    assert bool(weights(torch.zeros(3, 10)).isfinite().all())


def test_usual_misfits_enter_at_size_one(attached):
    network, x = fresh(attached), smooth_pictures(20)
    standardise(network, attached.decoder.network, attached.map_to, x)
    y = attached.features(x, ["early"])["early"]
    f, painted = attached.map_to("early"), attached.decoder(y, "early")
    found = measured(f, painted, painted, y, "early", attached.decoder.network, network)
    entry = network.entry("early")
    torch.testing.assert_close(entry.sizes, torch.stack([found.echo.std(), found.gradient.std()]))
    scaled = entry.missing.standardised(found.missing)
    torch.testing.assert_close(scaled.std((0, 2, 3)), torch.ones(12), rtol=0.02, atol=0)


def test_as_much_is_corrected_as_serves_held_out_pictures(attached):
    network, decoder, x = fresh(attached), attached.decoder.network, smooth_pictures(20)
    f = attached.map_to("early")
    y = f(x)
    painted = attached.decoder(y, "early")
    change = next(unrolled(f, y, "early", decoder, network, 1, painted)) - painted
    shares = torch.linspace(0, 1, 101)
    best = shares[torch.stack([(painted + s * change - x).square().sum() for s in shares]).argmin()]
    balance(network, decoder, attached.map_to, [x[:7], x[7:]])
    assert float((network.gains[0] - best).abs()) < 0.011


def test_gradients_pass_the_last_correction_alone(attached):
    _, y, painted = on_the_way(attached)
    network = fresh(attached).requires_grad_(True)
    f, decoder = attached.map_to("early"), attached.decoder.network
    second = list(unrolled(f, y, "early", decoder, network, 2, painted))[1]
    (both,) = torch.autograd.grad(second.square().sum(), network.paint.bias)
    first = next(unrolled(f, y, "early", decoder, network, 1, painted)).detach()
    misfit = measured(f, first, painted, y, "early", decoder, network)
    (last,) = torch.autograd.grad((first + network(misfit, "early")).square().sum(), network.paint.bias)
    torch.testing.assert_close(both, last)


def test_it_is_saved_with_its_decoder(mended, attached, tmp_path):
    again = pi.decoders.load(mended.decoder.save(tmp_path / "d", torch.float32))
    _, y, _ = on_the_way(attached)
    assert again.corrected == ("early",)
    f, parts = attached.map_to("early"), [(d.network, d.corrector) for d in (mended.decoder, again)]
    before, after = (corrected(f, y, "early", *part) for part in parts)
    assert torch.equal(after, before)
    assert again.with_corrector(None).corrected == ()
    assert mended.measured_on(smooth_pictures(4)).decoder.corrected == ("early",)


def test_a_file_with_half_a_corrector_is_refused(mended, tmp_path):
    from preimage.decoders.picture_decoder import KIND, VERSION
    from preimage.storage import read_directory, write_directory

    tensors, config = read_directory(mended.decoder.save(tmp_path / "d"), KIND, VERSION)
    del tensors["corrector.stem.weight"]
    write_directory(tmp_path / "d", KIND, VERSION, tensors, config)
    with pytest.raises(ModelFileError, match="not a picture decoder"):
        pi.decoders.load(tmp_path / "d")


def test_what_cannot_be_trained_is_refused(attached):
    with pytest.raises(UnknownTapError, match="nowhere"):
        pi.decoders.train_corrector(attached, smooth_pictures(20), quick(), taps=["nowhere"])
    with pytest.raises(ShapeError, match="at least"):
        pi.decoders.train_corrector(attached, smooth_pictures(3), quick())
    with pytest.raises(ShapeError, match="must be inputs"):
        pi.decoders.train_corrector(attached, smooth_pictures(20, side=8), quick())
    with pytest.raises(UnknownTapError, match="no corrector"):
        fresh(attached).entry("late")


def test_networks_with_other_labels_and_tokens_are_served():
    """A tap of tokens, known to the inverse by another name than to the decoder."""

    class Tokens(torch.nn.Module):
        def forward(self, x):
            return x.flatten(2).mT

    net = torch.nn.Sequential(Square(), torch.nn.Conv2d(1, 6, 2, stride=2), Tokens(), torch.nn.Linear(6, 6))
    torch.manual_seed(0)
    pictures, example = smooth_pictures(24, side=8, channels=1), torch.zeros(1, 1, 8, 8)
    decoder = pi.decoders.train(
        pi.invert(net, example, taps={"tokens": "2"}), pictures, quick(epochs=1), widths=(8, 8), blocks=(1, 1)
    )
    attached = decoder.attach(pi.invert(net, example, taps={"mine": "2"}))
    mended = pi.decoders.train_corrector(attached, pictures, quick(epochs=1), widths=(8, 8), blocks=(1, 1))
    y = mended.features(pictures[:2], ["mine"])["mine"]
    assert mended.solve(y, "mine", max_products=4)[0].shape == (2, 1, 8, 8)
