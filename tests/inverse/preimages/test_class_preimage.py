"""Which input would make the network answer so? Asked of small networks of several kinds."""

import pytest
import torch
from small_networks import inverse_of, mlp, normal
from torch import nn

import preimage as pi
from preimage.errors import DomainError, NotInvertibleError, ShapeError
from preimage.inverse.preimages import Gaussian, NormStatistics, Probabilities, Recipe
from preimage.inverse.preimages.priors.views import look


@pytest.fixture(scope="module")
def pictures():
    """A small convolutional classifier of five patterns in noise, 16 x 16."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip
    patterns = nn.functional.interpolate(torch.randn(5, 3, 4, 4), 16)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        labels = torch.randint(5, (64,))
        x = patterns[labels] + 0.5 * torch.randn(64, 3, 16, 16)
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x), labels).backward()
        optimiser.step()
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def inverse(pictures):
    return pi.invert(pictures, torch.zeros(1, 3, 16, 16))


SHORT = Recipe(steps=60)


@pytest.mark.shows("2-5")
def test_every_class_is_recognised(pictures, inverse):
    x, certificate = inverse.class_preimage(range(5), recipe=SHORT)
    assert certificate.ok
    assert pictures(x).argmax(1).tolist() == [0, 1, 2, 3, 4]
    wanted = torch.eye(5)
    residual = ((pictures(x).softmax(1) - wanted).norm(dim=1)).detach()
    torch.testing.assert_close(certificate.residual, residual, atol=1e-4, rtol=0)


def test_statistics_pull_towards_what_the_batch_norms_saw(inverse):
    prior = NormStatistics(inverse)
    with_them, _ = inverse.class_preimage([1, 2], recipe=Recipe(steps=60, statistics=5.0))
    without, _ = inverse.class_preimage([1, 2], recipe=Recipe(steps=60, statistics=0.0))
    assert prior.value(with_them).mean() < 0.5 * prior.value(without).mean()


def test_the_box_is_never_left(inverse):
    box = (torch.full((3, 1, 1), -0.5), torch.full((3, 1, 1), 0.25))
    x, _ = inverse.class_preimage([0, 3], box=box, recipe=Recipe(steps=30, rate=0.5))
    assert x.min() >= -0.5
    assert x.max() <= 0.25


def test_samples_do_not_depend_on_their_neighbours(pictures):
    network = mlp(12, 10, 4)
    inverse = inverse_of(network, 12)
    both, _ = inverse.class_preimage([1, 2], recipe=SHORT)
    first, _ = inverse.class_preimage([1], recipe=SHORT)
    torch.testing.assert_close(both[:1], first)


def test_a_calibrated_prior_decides_what_the_network_does_not_see():
    network = nn.Linear(3, 2).double()
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]))
    data = normal(500, 1) * torch.tensor([[1.0, 2.0, 0.0]]).double() + 0.1 * normal(500, 3, seed=1)
    inverse = inverse_of(network, 3)
    prior = Gaussian.of_data(data)
    recipe = Recipe(steps=200, prior=1.0)
    x, certificate = inverse.class_preimage([0, 1], prior=prior, recipe=recipe)
    assert certificate.ok
    assert x[0, 1] > 0.5 > -0.5 > x[1, 1]  # the second number goes with the first, as in the data
    assert x[:, 2].abs().max() < 0.2


def test_probabilities_between_classes():
    network = mlp(12, 10, 4)
    p = torch.tensor([[0.5, 0.5, 0.0, 0.0]]).double()
    inverse = inverse_of(network, 12)
    x, _ = inverse.class_preimage(Probabilities(p), recipe=Recipe(steps=200, prior=0.0))
    torch.testing.assert_close(network(x).softmax(1), p, atol=0.05, rtol=0)
    exact, certificate = inverse.solve(Probabilities(0.98 * p + 0.005), start=x, tol=1e-9)
    assert certificate.ok
    assert (exact - x).norm() < 0.5 * x.norm()


def test_the_seed_decides(inverse):
    recipe = Recipe(steps=5)
    first, again, other = (inverse.class_preimage(2, recipe=recipe, seed=s)[0] for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_looks_move_pictures_and_recordings_and_nothing_else():
    generator = torch.Generator().manual_seed(0)
    picture = normal(2, 1, 9, 9)
    assert look(picture, 0.1, 0.2, generator).shape == picture.shape
    assert not torch.equal(look(picture, 0.1, 0.2, generator), picture)
    recording = normal(2, 3, 20)
    torch.testing.assert_close(look(recording, 0.3, 0.2, generator).sort(2)[0], recording.sort(2)[0])
    assert torch.equal(look(normal(2, 5), 0.3, 0.2, generator), normal(2, 5))


class TestBadInput:
    @pytest.mark.parametrize("classes", [5, [0, -1], []])
    def test_classes_that_do_not_exist(self, inverse, classes):
        with pytest.raises(DomainError, match="from 0 to 4"):
            inverse.class_preimage(classes)

    def test_numbers_that_are_no_classes(self, inverse):
        with pytest.raises(ShapeError, match="Probabilities"):
            inverse.class_preimage(torch.tensor([0.5]))

    def test_outputs_that_are_no_row(self):
        inverse = pi.invert(nn.Conv2d(1, 2, 3), torch.zeros(1, 1, 6, 6))
        with pytest.raises(NotInvertibleError, match="one row of logits"):
            inverse.class_preimage(0)
