"""Where every step back from a tap keeps everything, nothing is painted."""

import pytest
import torch
from decoder_networks import quick, smooth_pictures
from torch import nn

import preimage as pi
from preimage.certificate import Certificate
from preimage.decoders.exactly import EXACT, exact_or


@pytest.fixture(scope="module")
def attached():
    torch.manual_seed(5)
    network = nn.Sequential(nn.Conv2d(3, 16, 2, stride=2), nn.Conv2d(16, 4, 2, stride=2)).eval()
    inverse = pi.invert(network, torch.zeros(1, 3, 8, 8), taps={"all": "0", "some": "1"})
    return pi.decoders.train(inverse, smooth_pictures(24, side=8), quick(), widths=(8,), blocks=(1,)).attach(
        inverse
    )


def test_what_is_kept_comes_back(attached):
    x = smooth_pictures(3, side=8, seed=9)
    y = attached.features(x)["all"]
    found, certificate = attached.solve(y, "all")
    for exact in (found, attached(y, "all")):
        torch.testing.assert_close(exact, x, rtol=1e-3, atol=1e-4)
    assert certificate.ok
    assert "painted" not in certificate.message.replace("nothing was painted", "")
    assert certificate.message.startswith("exact")


def test_calibrated_answers_are_painted_also_where_an_exact_one_is_known(attached):
    y = attached.features(smooth_pictures(2, side=8, seed=9))["all"]
    x, certificate = attached.calibrated(y, "all")
    assert torch.equal(x, attached.decoder(y, "all"))
    assert "trained on pictures" in certificate.message


@pytest.mark.parametrize("method", ["calibrated", "solve"])
def test_what_was_lost_is_painted(attached, method):
    y = attached.features(smooth_pictures(3, side=8, seed=9))["some"]
    assert "trained on pictures" in getattr(attached, method)(y, "some")[1].message


def test_features_that_no_input_has_are_painted_and_the_others_are_not(attached):
    y = attached.features(smooth_pictures(2, side=8, seed=9))["all"].clone()
    y[1] += torch.randn(y[1].shape, generator=torch.Generator().manual_seed(0))
    x = attached(y, "all")
    torch.testing.assert_close(x[1:], attached.decoder(y[1:], "all"))
    torch.testing.assert_close(x[:1], attached(y[:1], "all"))
    assert attached(y, "all", on_error="nan").isfinite().flatten(1).all(1).tolist() == [True, False]


def test_an_answer_does_not_depend_on_the_rest_of_the_batch(attached):
    y = attached.features(smooth_pictures(3, side=8, seed=9))["all"].clone()
    y[1] = 0.0  # says too little for the chain
    x, certificate = attached.solve(y, "all")
    for i in range(3):
        alone, evidence = attached.solve(y[i : i + 1], "all")
        torch.testing.assert_close(x[i : i + 1], alone, rtol=1e-3, atol=1e-4)
        assert certificate.converged[i] == evidence.converged[0]
    assert certificate.message.startswith(f"samples [0, 2]: {EXACT}; samples [1]: calibrated")


def test_a_start_of_ones_own_is_searched_from(attached):
    x = smooth_pictures(1, side=8, seed=9)
    found, certificate = attached.solve(attached.features(x)["all"], "all", start=x)
    assert torch.equal(found, x)
    assert not certificate.message.startswith("exact")


def answer(values, residual, message):
    residual = torch.tensor(residual)
    return torch.tensor(values)[:, None], Certificate(residual, residual < 1e-3, message=message)


def test_samples_at_which_the_chain_fails_are_answered_otherwise():
    y, eligible = torch.arange(5.0)[:, None], torch.tensor([True, True, False, True, True])
    asked = []

    def exact(rest):
        asked.append(rest.flatten().tolist())
        return answer([10.0, 11.0, 13.0, 14.0], [1e-6, 0.5, 1e-7, float("nan")], EXACT)

    def other(rest):
        asked.append(rest.flatten().tolist())
        return answer([21.0, 22.0, 24.0], [0.1, 0.2, 0.4], "painted")

    x, certificate = exact_or(other, exact, y, eligible, 1e-3)
    assert asked == [[0.0, 1.0, 3.0, 4.0], [1.0, 2.0, 4.0]]
    assert x.flatten().tolist() == [10.0, 21.0, 22.0, 13.0, 24.0]
    assert certificate.converged.tolist() == [True, False, False, True, False]
    torch.testing.assert_close(certificate.residual, torch.tensor([1e-6, 0.1, 0.2, 1e-7, 0.4]))
    assert certificate.message == f"samples [0, 3]: {EXACT}; samples [1, 2, 4]: painted"


def test_a_chain_that_holds_is_all_there_is_and_one_that_fails_is_forgotten():
    y, all_ = torch.arange(2.0)[:, None], torch.ones(2, dtype=torch.bool)
    good, bad = answer([1.0, 2.0], [0.0, 0.0], EXACT), answer([1.0, 2.0], [1.0, float("nan")], EXACT)
    painted = answer([5.0, 6.0], [0.1, 0.1], "painted")
    assert exact_or(lambda _: pytest.fail("nothing is left"), lambda _: good, y, all_, 1e-3) == good
    assert exact_or(lambda _: painted, lambda _: bad, y, all_, 1e-3) is painted
    assert exact_or(lambda _: painted, lambda _: pytest.fail("not asked"), y, ~all_, 1e-3) is painted
