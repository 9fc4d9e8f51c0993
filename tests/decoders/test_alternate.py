"""Learnt corrections and searches in turn."""

import pytest
import torch
from decoder_networks import quick, small_network, smooth_pictures

import preimage as pi
from preimage.certificate import Certificate, relative_residual
from preimage.decoders.alternate import alternate, closer, turns
from preimage.decoders.search_metric import search_metric
from preimage.decoders.train_corrector import made_for
from preimage.inverse.solvers.nonlinear.effort import Effort
from preimage.inverse.solvers.nonlinear.watch import Watch


@pytest.fixture(scope="module")
def attached():
    inverse = pi.invert(small_network(), torch.zeros(1, 3, 16, 16), taps={"early": "1"})
    decoder = pi.decoders.train(inverse, smooth_pictures(30), quick(epochs=2), widths=(8, 8), blocks=(1, 1))
    return decoder.attach(inverse)


def found_with(attached, y, weight, effort, rows=slice(None)):
    """What comes of a corrector whose last layer is constant: it paints far off, or nothing."""
    decoder = attached.decoder
    network = made_for(decoder.network, ["early"], (8, 8), (1, 1)).requires_grad_(False)
    torch.nn.init.constant_(network.paint.bias, weight)
    plan = decoder.blueprint.taps["early"]
    metric = search_metric(decoder.metric("early"), decoder.network.spread, plan)
    f = attached.map_to("early")
    return alternate(f, y[rows], "early", decoder.network, network, metric, effort)


def pictures(attached, count=3):
    x = smooth_pictures(count, seed=11)
    return attached.features(x, ["early"])["early"]


@pytest.mark.parametrize("products", [*range(1, 30), 200, 1001])
def test_turns_spend_the_whole_budget(products):
    found = turns(products)
    assert sum(corrections + searched for corrections, searched in found) == products
    assert all(searched >= 1 for _, searched in found)


def test_the_evidence_is_that_of_the_answer(attached):
    y = pictures(attached)
    x, certificate = found_with(attached, y, 0.0, Effort(1e-5, 24))
    actual = relative_residual(attached.map_to("early")(x), y)
    torch.testing.assert_close(certificate.residual, actual.detach(), rtol=1e-3, atol=1e-6)
    assert certificate.iterations.tolist() == [24, 24, 24]
    assert "before the tolerance" in certificate.message


@pytest.mark.parametrize("weight", [0.3, 100.0, float("nan"), float("inf")])
def test_a_corrector_that_leads_astray_cannot_make_the_features_worse(attached, weight):
    y = pictures(attached)
    x, certificate = found_with(attached, y, weight, Effort(1e-5, 24))
    f = attached.map_to("early")
    assert bool(x.isfinite().all())
    assert bool((certificate.residual <= relative_residual(f(attached.decoder(y, "early")), y)).all())
    plain, _ = found_with(attached, y, 0.0, Effort(1e-5, 11))
    assert bool((certificate.residual <= 1.2 * relative_residual(f(plain), y)).all())


def test_solved_samples_are_left_alone(attached):
    y = pictures(attached)
    x, certificate = found_with(attached, y, 0.0, Effort(0.9, 24))
    assert certificate.ok
    assert certificate.message == ""
    assert int(certificate.iterations.max()) < 12  # no second turn
    again, _ = found_with(attached, y, 0.0, Effort(0.9, 12))
    assert torch.equal(x, again)


def test_a_watcher_who_stops_the_search_stops_all_turns(attached):
    y, seen = pictures(attached), []
    watch = Watch(lambda step, residual: bool(seen.append(step)) or step == 2)
    _, certificate = found_with(attached, y, 0.0, Effort(1e-5, 24, watch=watch))
    assert seen == [1, 2]
    assert int(certificate.iterations.max()) < 10


def test_the_closer_answer_wins_sample_by_sample():
    residuals = torch.tensor([1.0, 0.2, 0.5]), torch.tensor([0.5, 0.4, float("nan")])
    one, other = (
        (torch.full((3, 1), value), Certificate(r, r < 0.3, iterations=torch.full((3,), 4), message="left"))
        for value, r in zip((1.0, 2.0), residuals, strict=True)
    )
    x, certificate = closer(one, other)
    assert x[:, 0].tolist() == [2.0, 1.0, 1.0]
    torch.testing.assert_close(certificate.residual, torch.tensor([0.5, 0.2, 0.5]))
    assert certificate.converged.tolist() == [False, True, False]
    assert certificate.iterations.tolist() == [8, 8, 8]
    assert certificate.message == "left"
