"""How sure a painted picture is: intervals from pictures that the decoder was not trained on."""

import pytest
import torch
from decoder_networks import quick, small_network, smooth_pictures

import preimage as pi
from preimage.decoders.picture_decoder import PictureDecoder
from preimage.errors import NotInvertibleError, ShapeError
from preimage.inverse.posterior.error_fit import ErrorFit

EXAMPLE = torch.zeros(1, 3, 16, 16)


@pytest.fixture(scope="module")
def inverse():
    return pi.invert(small_network(), EXAMPLE, taps={"early": "1", "late": "2", "logits": "5"})


@pytest.fixture(scope="module")
def trained(inverse):
    shape = {"widths": (12, 12), "blocks": (1, 1)}
    held = smooth_pictures(8, seed=90)
    pictures = smooth_pictures(60)
    taps = ["early", "logits"]
    return pi.decoders.train(inverse, pictures, quick(epochs=6), held=held, taps=taps, **shape)


@pytest.fixture(scope="module")
def attached(inverse, trained):
    return trained.attach(inverse).measured_on(smooth_pictures(60, seed=5))


def covered(interval, x):
    return ((interval.low <= x) & (x <= interval.high)).double().mean().item()


@pytest.mark.parametrize("tap", ["early", "logits"])
def test_intervals_around_painted_pictures_hold_what_they_promise(inverse, attached, tap):
    x = smooth_pictures(60, seed=31)
    posterior = attached.posterior(inverse.features(x, [tap])[tap], tap)
    assert torch.equal(posterior.mean, attached(inverse.features(x, [tap])[tap], tap))
    for level in (0.5, 0.9):
        assert covered(posterior.interval(level), x) == pytest.approx(level, abs=0.03)
    assert posterior.mode == "calibrated on 60 inputs of 60 sources"
    for word in ("painted", "60 independent sources"):
        assert word in posterior.certificate.message
    error = (x - posterior.mean).square().mean().sqrt().item()
    assert posterior.standard_deviation.square().mean().sqrt().item() == pytest.approx(error, rel=0.1)


def test_a_trained_decoder_knows_how_it_errs_on_held_out_pictures(inverse, trained):
    y = inverse.features(smooth_pictures(2), ["early"])["early"]
    assert trained.attach(inverse).posterior(y, "early").mode == "calibrated on 8 inputs of 8 sources"


def test_crops_of_one_scene_are_one_source(inverse, trained):
    crops = smooth_pictures(12)
    attached = trained.attach(inverse).measured_on(pi.Calibration(crops, torch.arange(12) // 3))
    y = inverse.features(crops[:1], ["early"])["early"]
    assert attached.posterior(y, "early").mode == "calibrated on 12 inputs of 4 sources"
    alone = trained.attach(inverse).measured_on(pi.Calibration(crops, torch.zeros(12, dtype=torch.long)))
    with pytest.raises(NotInvertibleError, match="measured_on"):
        alone.posterior(y, "early")


@pytest.mark.shows("0-18")
def test_samples_have_the_predicted_spread_and_the_features_asked_for(inverse, attached):
    x = smooth_pictures(2, seed=77)
    y = inverse.features(x, ["early"])["early"]
    posterior = attached.posterior(y, "early")
    draws = posterior.draw(400, torch.Generator().manual_seed(0)).view(2, 400, 3, 16, 16)
    deviation = draws.std(1) / posterior.standard_deviation
    assert 0.8 < deviation.min() <= deviation.max() < 1.2
    neighbours = (draws - posterior.mean[:, None]) / posterior.standard_deviation[:, None]
    correlation = (neighbours[..., 1:] * neighbours[..., :-1]).mean()
    spectrum = attached.decoder.metric("early")
    kernel = spectrum.root(spectrum.root_transpose(torch.eye(3 * 16 * 16).view(-1, 3, 16, 16))).reshape(
        768, 768
    )
    wanted = kernel / (kernel.diagonal()[:, None] * kernel.diagonal()).sqrt()
    index = torch.arange(768).view(3, 16, 16)
    wanted = wanted[index[..., 1:].flatten(), index[..., :-1].flatten()].mean()
    assert correlation.item() == pytest.approx(wanted.item(), abs=0.05)
    before = inverse.evidence(posterior.draw(2), y.repeat_interleave(2, 0), "early", None).residual.mean()
    _, certificate = posterior.sample(2, torch.Generator().manual_seed(0), max_products=40)
    assert certificate.residual.mean() < 0.3 * before
    assert "painted" in certificate.message  # the decoder's own refinement moved them


def test_error_models_survive_saving(inverse, attached, tmp_path):
    attached.decoder.save(tmp_path / "decoder", torch.float32)
    again = pi.decoders.load(tmp_path / "decoder").attach(inverse)
    y = inverse.features(smooth_pictures(2), ["early"])["early"]
    one, other = attached.posterior(y, "early"), again.posterior(y, "early")
    torch.testing.assert_close(one.interval(0.8).low, other.interval(0.8).low)
    assert one.mode == other.mode


def test_taps_that_are_not_painted_are_answered_by_the_inverse(inverse, trained):
    x = smooth_pictures(40)
    calibrated = pi.invert(inverse.network, EXAMPLE, x, taps={"early": "1", "late": "2", "logits": "5"})
    y = inverse.features(x[:1], ["late"])["late"]
    posterior = trained.attach(calibrated).posterior(y, "late")
    assert torch.equal(posterior.interval().low, calibrated.posterior(y, "late").interval().low)


def test_decoders_of_earlier_versions_say_what_is_missing(inverse, trained):
    old = PictureDecoder(trained.network, trained.owner, {tap: trained.metric(tap) for tap in trained.taps})
    y = inverse.features(smooth_pictures(1), ["early"])["early"]
    with pytest.raises(NotInvertibleError, match="was not trained on"):
        old.attach(inverse).posterior(y, "early")
    with pytest.raises(ShapeError):
        trained.attach(inverse).posterior(y[:, :2], "early")


def test_the_error_models_are_those_of_the_painted_pictures(inverse, attached):
    x = smooth_pictures(60, seed=5)
    y = inverse.features(x, ["early"])["early"]
    fit = ErrorFit(x.shape[1:], y.shape[1:])
    fit.update(attached(y, "early"), y, x, torch.arange(60))
    model = fit.solve()
    torch.testing.assert_close(
        model.scores, attached.decoder.error_models["early"].scores, rtol=0.05, atol=0.01
    )


def test_less_certain_taps_have_wider_intervals(inverse, attached):
    x = smooth_pictures(20, seed=33)
    features = inverse.features(x, ["early", "logits"])
    ends = [attached.posterior(y, tap).interval() for tap, y in features.items()]
    widths = [(high - low).mean().item() for low, high in ends]
    assert widths[0] < 0.7 * widths[1]
