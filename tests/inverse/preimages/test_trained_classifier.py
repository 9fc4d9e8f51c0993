"""A small trained classifier backwards: what the seed claimed, what holds, and better preimages."""

import pytest
import torch
from small_networks import mlp
from torch import nn

import preimage as pi
from preimage.inverse.preimages import Gaussian, TotalVariation

datasets = pytest.importorskip("sklearn.datasets")

CLASSES = torch.eye(10).double()


@pytest.fixture(scope="module")
def digits():
    data = datasets.load_digits()
    return torch.from_numpy(data.data).double() / 16, torch.from_numpy(data.target)


@pytest.fixture(scope="module")
def network(digits):
    """64-32-32-10, LeakyReLU, as the seed's 784-64-64-10; trained on 1,400 digits."""
    torch.manual_seed(0)
    x, labels = digits[0][:1400], digits[1][:1400]
    network = mlp(64, 32, 32, 10)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.mse_loss(network(x), CLASSES[labels]).backward()
        optimiser.step()
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def inverse(network):
    return pi.invert(network, torch.zeros(1, 64).double())


def test_it_learned(network, digits):
    right = network(digits[0][1400:]).argmax(1) == digits[1][1400:]
    assert right.double().mean() > 0.85


@pytest.mark.shows("2-1")
def test_any_answer_is_reached_exactly(network, inverse):
    y = torch.cat([CLASSES, torch.randn(50, 10, generator=torch.Generator().manual_seed(1)).double()])
    assert (network(inverse(y)) - y).abs().max() <= 1e-10
    single = pi.invert(network.float(), torch.zeros(1, 64))
    assert (network(single(y.float())) - y.float()).abs().max() <= 1e-3
    network.double()


@pytest.mark.shows("2-2")
def test_the_input_is_not_what_comes_back(inverse, network, digits):
    x = digits[0][1400:1420]
    back, certificate = inverse.data_free(network(x))
    assert certificate.ok  # f(g(y)) = y
    assert ((back - x).norm(dim=1) / x.norm(dim=1)).min() > 0.5  # g(f(x)) is another input
    assert inverse.null_space(x).dimension.tolist() == [54] * 20
    assert "54 of 64 input dimensions are lost" in str(inverse.report)


@pytest.mark.shows("2-3")
def test_better_preimages_than_the_chain(inverse, network, digits):
    chain = inverse(CLASSES).norm(dim=1)
    answers = {
        "least norm": inverse.minimum_norm(CLASSES),
        "box": inverse.boxed(CLASSES, 0.0, 1.0),
        "nearest": inverse.nearest(CLASSES, digits[0][:1]),
        "Gaussian": inverse.with_prior(CLASSES, Gaussian.of_data(digits[0][:1400]), steps=10),
        "total variation": inverse.with_prior(
            CLASSES, TotalVariation((1, 8, 8)), start=digits[0][:1], steps=5
        ),
    }
    for name, (x, certificate) in answers.items():
        assert certificate.residual.max() <= 1e-6, name
        assert (x.norm(dim=1) < chain).all(), name
    box = answers["box"][0]
    assert box.min() >= 0
    assert box.max() <= 1


@pytest.mark.shows("2-4")
def test_the_null_space_is_not_seen(inverse, network, digits):
    x = digits[0][:2]
    moved, certificate = inverse.null_space(x).towards(digits[0][5:6])
    assert certificate.ok
    assert (network(moved) - network(x)).abs().max() <= 1e-8
    assert ((moved - x).norm(dim=1) > 1.0).all()


@pytest.mark.shows("2-5", "1-11")
def test_ten_class_queries_are_answered_with_their_class(inverse, network, digits):
    means = torch.stack([digits[0][:1400][digits[1][:1400] == k].mean(0) for k in range(10)])
    found = inverse.with_prior(CLASSES, Gaussian.of_data(digits[0][:1400]), steps=10)[0]
    for x in (inverse(CLASSES), found, inverse.class_preimage(range(10))[0]):
        assert network(x).argmax(1).tolist() == list(range(10))
    away = (found - means).square().mean()  # pixels in 0..1
    assert away < 0.2 * (inverse(CLASSES) - means).square().mean()


@pytest.mark.shows("2-8")
def test_the_pair_is_the_same_after_saving(inverse, network, tmp_path):
    inverse.save(tmp_path / "pair")
    again = pi.load_inverse(tmp_path / "pair", network, torch.zeros(1, 64).double())
    assert torch.equal(again(CLASSES), inverse(CLASSES))
    assert torch.equal(again.minimum_norm(CLASSES)[0], inverse.minimum_norm(CLASSES)[0])


@pytest.mark.shows("2-6", "2-7")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_row_or_many_of_either_precision(network, dtype):
    inverse = pi.invert(network.to(dtype), torch.zeros(1, 64, dtype=dtype))
    for count in (1, 7):
        y = torch.zeros(count, 10, dtype=dtype)
        x, certificate = inverse.minimum_norm(y)
        assert x.shape == (count, 64)
        assert x.dtype == dtype
        assert certificate.residual.shape == (count,)
        assert (network(x)).abs().max() < 1e-4
    network.double()
