"""Class-conditional bases against loops over classes, components and elements."""

import math

import pytest
import torch
from samples_bases import BASES, made
from torch.distributions import Normal as TorchNormal

from preimage.errors import ContextError, ShapeError
from preimage.flows import (
    ClassConditional,
    ClassConditionalJoint,
    ClassConditionalMixture,
    ClassConditionalNormal,
    FixedClassConditionalNormal,
    GatedClassConditionalNormal,
    HierarchicalClassConditional,
    Normal,
    PartlyClassConditional,
    UnitClassConditionalNormal,
    equidistant_means,
    random_means,
)

CLASSY = [name for name in BASES if isinstance(made(name)[0], ClassConditional)]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(2)


def double(*sizes):
    return torch.randn(*sizes, dtype=torch.float64)


@pytest.mark.shows("4-5")
@pytest.mark.parametrize("name", CLASSY)
def test_the_table_of_classes_holds_the_density_of_every_class(name):
    base, _ = made(name)
    z = 2 * double(7, 2)
    table = base.class_log_prob(z)
    for label in range(base.classes):
        alone = base.log_prob(z, torch.full((7,), label))
        torch.testing.assert_close(table[:, label], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.shows("4-5")
@pytest.mark.parametrize("name", CLASSY)
def test_centres_are_where_the_density_is_high(name):
    base, _ = made(name)
    centres = base.class_centres()
    assert centres.shape == (3, 2)
    with torch.no_grad():
        every = torch.arange(3)
        drawn = base.draw(500 * 3, every.repeat(500), torch.Generator().manual_seed(0))
        typical = base.log_prob(drawn, every.repeat(500)).reshape(500, 3).mean(0)
        assert (base.log_prob(centres, every) > typical).all()


@pytest.mark.parametrize("name", [name for name in CLASSY if "fixed" not in name])
def test_gradients_reach_every_parameter(name):
    base, _ = made(name)
    base.class_log_prob(double(9, 2)).logsumexp(1).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in base.parameters())


def test_normals_are_those_of_torch():
    base = ClassConditionalNormal(3, 4, classes=5).double()
    with torch.no_grad():
        base.log_scale.normal_(std=0.5)
    z = double(6, 3, 4)
    for label in range(5):
        normal = TorchNormal(base.location[label], base.log_scale[label].exp())
        wanted = normal.log_prob(z).sum((1, 2))
        torch.testing.assert_close(base.class_log_prob(z)[:, label], wanted, rtol=1e-12, atol=1e-12)


def test_what_is_far_from_zero_but_near_the_classes_keeps_its_digits():
    base = UnitClassConditionalNormal(50, classes=3, means=1000 + torch.randn(3, 50))
    z = 1000 + torch.randn(4, 50)
    exact = UnitClassConditionalNormal(50, classes=3, means=base.location).double()
    error = (base.class_log_prob(z) - exact.class_log_prob(z.double())).abs().max()
    assert error < 1e-3


@pytest.mark.shows("4-5")
def test_hierarchy_against_a_loop_over_its_leaves():
    base = made("hierarchical classes")[0]
    z, total = double(5, 2), torch.zeros(5, dtype=torch.float64)
    top, kinds, leaves = base.offsets
    weights = [logits.softmax(-1) for logits in base.branch_logits]
    for i in range(2):
        for j in range(3):
            mean = top[1] + kinds[1, i] + leaves[1, i, j]
            normal = TorchNormal(mean, base.log_scale[1, 0].exp())
            total = total + weights[0][1, i] * weights[1][1, i, j] * normal.log_prob(z).sum(1).exp()
    torch.testing.assert_close(base.class_log_prob(z)[:, 1], total.log(), rtol=1e-12, atol=1e-12)


@pytest.mark.shows("4-5")
def test_gates_against_a_loop_over_elements():
    base = made("gated class conditional")[0]
    z = double(4, 2)
    wanted = torch.zeros(4, dtype=torch.float64)
    for i in range(2):
        own = TorchNormal(base.location[2, i], base.log_scale[2, i].exp()).log_prob(z[:, i]).exp()
        shared = TorchNormal(base.shared_location[i], base.shared_log_scale[i].exp()).log_prob(z[:, i]).exp()
        gate = base.gates()[i]
        wanted = wanted + torch.log(gate * own + (1 - gate) * shared)
    torch.testing.assert_close(base.class_log_prob(z)[:, 2], wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.shows("4-5")
def test_shared_elements_say_nothing_about_the_class():
    specific = torch.tensor([[True, False], [False, True]])
    own = ClassConditionalNormal(2, classes=3).double()
    base = PartlyClassConditional(specific, own, Normal(2, learn=True).double())
    z = double(5, 2, 2)
    changed = torch.where(specific, z, double(5, 2, 2))
    odds = [base.class_log_prob(rows).log_softmax(1) for rows in (z, changed)]
    torch.testing.assert_close(odds[0], odds[1])
    drawn = base.draw(3, torch.tensor([0, 1, 2]))
    assert drawn.shape == (3, 2, 2)
    assert torch.equal(base.class_centres()[:, specific], own.location)


def test_one_component_is_a_normal():
    mixture = ClassConditionalMixture(3, classes=2, components=1).double()
    normal = ClassConditionalNormal(3, classes=2, means=mixture.location[:, 0]).double()
    z = double(4, 3)
    torch.testing.assert_close(mixture.class_log_prob(z), normal.class_log_prob(z))


def test_joint_adds_the_tables():
    deep, fine = UnitClassConditionalNormal(3, classes=2), Normal(2, 2, learn=True)
    base = ClassConditionalJoint(deep=deep, fine=fine)
    labels = torch.tensor([0, 1, 1])
    z = base.draw(3, labels)
    wanted = deep.class_log_prob(z[0]) + fine.log_prob(z[1])[:, None]
    torch.testing.assert_close(base.class_log_prob(z), wanted)
    torch.testing.assert_close(base.log_prob(z, labels), wanted.gather(1, labels[:, None])[:, 0])
    assert [part.shape for part in base.class_centres()] == [(2, 3), (2, 2, 2)]


def test_equidistant_means_are():
    means = equidistant_means(6, 3, 4, distance=2.5).flatten(1).double()
    apart = torch.cdist(means, means)[~torch.eye(6, dtype=torch.bool)]
    assert apart.sub(2.5).abs().max() < 1e-5
    assert means.sum(0).abs().max() < 1e-5


def test_classes_at_a_known_distance_are_confused_as_often_as_they_must():
    base = FixedClassConditionalNormal(equidistant_means(2, 5, distance=2.0))
    labels = torch.arange(2).repeat(20_000)
    z = base.draw(40_000, labels, torch.Generator().manual_seed(1))
    wrong = (base.class_log_prob(z).argmax(1) != labels).double().mean().item()
    assert wrong == pytest.approx(0.5 * math.erfc(1 / math.sqrt(2)), abs=0.006)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda: UnitClassConditionalNormal(2, classes=3).log_prob(torch.zeros(1, 2)), ContextError, "None"),
        (
            lambda: UnitClassConditionalNormal(2, classes=3).log_prob(torch.zeros(1, 2), torch.tensor([-1])),
            ContextError,
            "wanted 0 to 2",
        ),
        (
            lambda: UnitClassConditionalNormal(2, classes=3).draw(1, torch.tensor([3])),
            ContextError,
            "wanted 0 to 2",
        ),
        (lambda: UnitClassConditionalNormal(2, classes=3, means=torch.zeros(2, 2)), ShapeError, "means have"),
        (lambda: FixedClassConditionalNormal(torch.zeros(1, 2)), ValueError, "two or more"),
        (lambda: ClassConditionalMixture(2, classes=2, components=0), ValueError, "one or more"),
        (lambda: HierarchicalClassConditional(2, classes=2, branches=(0,)), ValueError, "one or more"),
        (lambda: GatedClassConditionalNormal(2, classes=1), ValueError, "two or more"),
        (lambda: ClassConditionalJoint(a=Normal(2), b=Normal(2)), ContextError, "no classes"),
        (lambda: equidistant_means(5, 3, distance=1.0), ShapeError, "random_means"),
        (lambda: equidistant_means(2, 3, distance=0.0), ValueError, "positive"),
        (
            lambda: PartlyClassConditional(
                torch.tensor([True, True]), UnitClassConditionalNormal(2, classes=2), Normal(1)
            ),
            ShapeError,
            "shared has",
        ),
    ],
)
def test_bad_arguments_are_refused(wrong, error, said):
    with pytest.raises(error, match=said):
        wrong()


def test_random_means_are_about_the_root_of_twice_the_dimensions_apart():
    means = random_means(2, 10_000, generator=torch.Generator().manual_seed(0))
    assert (means[0] - means[1]).norm().item() == pytest.approx(math.sqrt(20_000), rel=0.03)
