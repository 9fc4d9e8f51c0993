"""A picture decoder at work inside an inverse."""

import pytest
import torch
from decoder_networks import quick, small_network, smooth_pictures

import preimage as pi
from preimage.errors import ModelFileError, NotConvergedError, NotInvertibleError, ShapeError, UnknownTapError

EXAMPLE = torch.zeros(1, 3, 16, 16)


@pytest.fixture(scope="module")
def inverse():
    return pi.invert(small_network(), EXAMPLE, taps={"early": "1", "late": "2", "logits": "5"})


@pytest.fixture(scope="module")
def decoder(inverse):
    return pi.decoders.train(
        inverse,
        smooth_pictures(60),
        quick(epochs=6),
        taps=["early", "logits"],
        widths=(12, 12),
        blocks=(1, 1),
    )


@pytest.fixture(scope="module")
def attached(inverse, decoder):
    return decoder.attach(inverse)


def features(inverse, tap, seed=11):
    x = smooth_pictures(3, seed=seed)
    return x, inverse.features(x, [tap])[tap]


def test_answers_are_painted_and_say_so(inverse, decoder, attached):
    _, y = features(inverse, "early")
    x, certificate = attached.calibrated(y, "early")
    assert torch.equal(x, decoder(y, "early"))
    assert "painted" in certificate.message
    actual = inverse.network[1](inverse.network[0](x))
    residual = (actual - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)
    torch.testing.assert_close(certificate.residual, residual.detach())
    assert torch.equal(attached(y, "early"), x)


def test_data_free_answers_stay_data_free(inverse, attached):
    _, y = features(inverse, "early")
    x, certificate = attached.data_free(y[:1], "early")
    assert torch.equal(x, inverse.data_free(y[:1], "early")[0])
    assert "painted" not in certificate.message


def test_refinement_brings_the_features_into_line_without_harm(inverse, attached):
    truth, y = features(inverse, "early")
    painted, before = attached.calibrated(y, "early")
    x, after = attached.solve(y, "early", max_products=24)
    assert bool((after.residual < 0.2 * before.residual).all())
    assert int(after.iterations.max()) <= 24
    assert float((x - truth).square().mean()) < float((painted - truth).square().mean())


def test_refinement_converges_where_it_can(inverse, attached):
    _, y = features(inverse, "logits")
    x, certificate = attached.solve(y, "logits", tol=1e-4, max_products=100)
    assert certificate.ok
    torch.testing.assert_close(inverse.network(x), y, rtol=1e-3, atol=1e-3)


def test_a_start_of_the_users_own_is_kept_to(inverse, attached):
    truth, y = features(inverse, "early")
    x, certificate = attached.solve(y, "early", start=truth, tol=1e-3)
    assert certificate.ok
    assert torch.equal(x, truth)


def test_the_network_may_be_inverted_with_other_labels(decoder):
    inverse = pi.invert(small_network(), EXAMPLE, taps={"after the first": "1"})
    attached = decoder.attach(inverse)
    _, y = features(inverse, "after the first")
    assert torch.equal(attached.calibrated(y, "after the first")[0], decoder(y, "early"))
    assert torch.equal(attached.calibrated(y, "early")[0], decoder(y, "early"))  # the decoder's own label
    assert attached.painted == ("early", "logits")


def test_other_taps_are_answered_by_the_inverse(inverse, decoder, attached):
    _, y = features(inverse, "late")
    with pytest.raises(NotInvertibleError, match="no decoder"):
        attached.calibrated(y, "late")
    calibrated = pi.invert(small_network(), EXAMPLE, smooth_pictures(20), taps={"late": "2"})
    x, certificate = decoder.attach(calibrated).calibrated(y, "late")
    assert torch.equal(x, calibrated.calibrated(y, "late")[0])
    assert "painted" not in certificate.message


def test_a_decoder_stays_with_its_own_weights(decoder):
    other = small_network()
    with torch.no_grad():
        other[0].weight[0, 0, 0, 0] += 1e-3
    with pytest.raises(ModelFileError, match="other weights"):
        decoder.attach(pi.invert(other, EXAMPLE))


def test_policy_words_work(inverse, attached):
    _, y = features(inverse, "early")
    with pytest.raises(NotConvergedError):
        attached(y, "early", on_error="raise")
    assert bool(attached(y, "early", on_error="nan").isnan().all())


@pytest.mark.parametrize("y", [torch.zeros(2, 5, 8, 8), torch.full((2, 12, 8, 8), float("nan"))])
def test_features_that_the_tap_cannot_have_are_refused(attached, y):
    with pytest.raises(pi.errors.PreimageError):
        attached.calibrated(y, "early")


def test_tuples_and_unknown_taps_are_refused(attached):
    with pytest.raises(ShapeError, match="one tensor"):
        attached.calibrated((torch.zeros(1, 12, 8, 8),), "early")
    with pytest.raises(UnknownTapError):
        attached.calibrated(torch.zeros(1, 12, 8, 8), "nowhere")


def test_the_report_is_that_of_the_inverse(inverse, attached):
    assert str(attached.report.ledger) == str(inverse.report.ledger)
    assert attached.taps == inverse.taps
