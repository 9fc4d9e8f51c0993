"""Every base is a density that integrates to one, and its draws are distributed so."""

import inspect
import math

import pytest
import torch
from samples_bases import BASES, for_rows, made
from scipy import stats

from preimage import flows
from preimage.errors import ContextError, NotInvertibleError, ShapeError
from preimage.flows import (
    Base,
    ClassConditionalJoint,
    ClassConditionalNormal,
    ConditionalLocationScale,
    Joint,
    Mixture,
    Normal,
    StudentT,
    Uniform,
)

pytestmark = pytest.mark.usefixtures("_seeded")


@pytest.fixture
def _seeded():
    torch.manual_seed(1)


def grid(limit, points):
    side = torch.linspace(-limit, limit, points, dtype=torch.float64)
    cell = (2 * limit / (points - 1)) ** 2
    return torch.cartesian_prod(side, side), cell


@pytest.mark.parametrize("name", BASES)
def test_integrates_to_one(name):
    base, context = made(name)
    z, cell = grid(60.0 if "student" in name else 25.0, 1201)
    with torch.no_grad():
        total = base.log_prob(z, for_rows(context, len(z))).exp().sum() * cell
    sharp = any(word in name for word in ("uniform", "truncated", "kinds"))  # an edge costs a grid its order
    assert abs(total.item() - 1) < (0.05 if sharp else 2e-3)


@pytest.mark.parametrize("name", BASES)
def test_draws_follow_the_density(name):
    base, context = made(name)
    rows = 4000
    with torch.no_grad():
        z = base.draw(rows, for_rows(context, rows), torch.Generator().manual_seed(3))
        along = z @ torch.tensor([0.8, 0.6], dtype=torch.float64)
        points, cell = grid(60.0 if "student" in name else 12.0, 601)
        density = base.log_prob(points, for_rows(context, len(points))).exp() * cell
    place = points @ torch.tensor([0.8, 0.6], dtype=torch.float64)
    order = place.argsort()
    cumulative = density[order].cumsum(0) / density.sum()
    index = torch.searchsorted(place[order].contiguous(), along.contiguous()).clamp(max=len(place) - 1)
    assert stats.kstest(cumulative[index].numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("name", BASES)
def test_draws_are_differentiable_where_it_is_said(name):
    base, context = made(name)
    z = base.draw(5, for_rows(context, 5))
    if base.reparametrised and any(True for _ in base.parameters()):
        assert z.requires_grad
    assert z.dtype == torch.float64
    assert z.shape == (5, 2)
    assert base.log_prob(z, for_rows(context, 5)).isfinite().all()


@pytest.mark.parametrize("name", BASES)
def test_no_rows(name):
    base, context = made(name)
    z = base.draw(0, for_rows(context, 0))
    assert z.shape == (0, 2)
    assert base.log_prob(z, for_rows(context, 0)).shape == (0,)


def test_every_base_is_in_the_table():
    classes = [c for _, c in inspect.getmembers(flows, inspect.isclass) if issubclass(c, Base)]
    members = {type(module) for name in BASES for module in made(name)[0].modules()}
    members |= {Joint, ClassConditionalJoint}  # of several tensors, tested elsewhere
    assert not [c.__name__ for c in classes if not inspect.isabstract(c) and c not in members]


def test_normal_is_that_of_torch():
    z = torch.randn(7, 3, 4, dtype=torch.float64)
    expected = torch.distributions.Independent(torch.distributions.Normal(torch.zeros(3, 4).double(), 1.0), 2)
    torch.testing.assert_close(Normal(3, 4).double().log_prob(z), expected.log_prob(z))


def test_student_is_that_of_torch():
    z = 10 * torch.randn(7, 3, dtype=torch.float64)
    expected = torch.distributions.Independent(
        torch.distributions.StudentT(torch.full((3,), 2.5).double()), 1
    )
    torch.testing.assert_close(StudentT(3, degrees=2.5).double().log_prob(z), expected.log_prob(z))


def test_full_rank_is_that_of_torch():
    base, _ = made("full rank")
    z = torch.randn(7, 2, dtype=torch.float64)
    expected = torch.distributions.MultivariateNormal(base.mean, scale_tril=base.factor())
    torch.testing.assert_close(base.log_prob(z), expected.log_prob(z))


@pytest.mark.shows("4-5")
def test_classes_are_told_apart_by_the_log_odds_of_their_normals():
    base = ClassConditionalNormal(3, classes=4).double()
    z = torch.randn(6, 3, dtype=torch.float64)
    each = base.class_log_prob(z)
    means = base.location.detach()
    # With equal spreads the log-odds of two classes are linear in z.
    expected = z @ (means[1] - means[0]) - (means[1].square().sum() - means[0].square().sum()) / 2
    torch.testing.assert_close((each[:, 1] - each[:, 0]).detach(), expected)


def test_joint_names_its_latents_and_adds_their_densities():
    base = Joint(deep=Normal(3), fine=Uniform(2, 2))
    z = base.named(base.draw(5))
    assert z._fields == ("deep", "fine")
    assert z.fine.shape == (5, 2, 2)
    torch.testing.assert_close(base.log_prob(z), Normal(3).log_prob(z.deep))
    assert base.dimensions() == 7


def test_joint_passes_temperature_on():
    z = Joint(a=Normal(200), b=Normal(200, learn=True)).tempered(0.1).draw(50)
    assert z[0].std() < 0.2
    assert z[1].std() < 0.2


def test_generator_decides():
    base = StudentT(4)
    first, second = (base.draw(3, None, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda: Normal(0), ValueError, "positive sizes"),
        (lambda: Normal(2).tempered(0.0), ValueError, "positive number"),
        (lambda: Normal(2).truncated(math.inf), ValueError, "positive number"),
        (lambda: StudentT(2, degrees=-1.0), ValueError, "positive number"),
        (lambda: StudentT(2).truncated(1.0), NotInvertibleError, "use Normal"),
        (lambda: Uniform(2).tempered(2.0), NotInvertibleError, "no temperature"),
        (lambda: Uniform(2, low=1.0, high=0.0), ValueError, "lower first"),
        (lambda: Mixture([Normal(2)]), ValueError, "two or more"),
        (lambda: Mixture([Normal(2), Normal(3)]), ShapeError, "one for all"),
        (lambda: Joint(a=Normal(2)), ValueError, "two or more"),
        (lambda: ClassConditionalNormal(2, classes=1), ValueError, "two or more"),
        (
            lambda: ClassConditionalNormal(2, classes=2).draw(1, torch.zeros(1)),
            ContextError,
            "integer labels",
        ),
        (
            lambda: ConditionalLocationScale(2, network=torch.nn.Linear(3, 5), context=3).draw(
                1, torch.zeros(1, 3)
            ),
            ShapeError,
            "locations, then log-scales",
        ),
    ],
)
def test_bad_arguments_are_refused(wrong, error, said):
    with pytest.raises(error, match=said):
        wrong()
