"""The contract: checks in one place, views, chains, certificates, torch.distributions."""

import re

import numpy as np
import pytest
import torch
from scipy import integrate
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    IndependentTransform,
    SigmoidTransform,
    StackTransform,
    StickBreakingTransform,
    TanhTransform,
)

from preimage import Bijection, Chain, Inverted
from preimage.certify import certify
from preimage.domains import Domain, Interval, Reals
from preimage.errors import (
    ContextError,
    DomainError,
    NotConvergedError,
    NotInvertibleError,
    NumericalWarning,
    ShapeError,
)
from preimage.layers import (
    AdditiveMap,
    Affine,
    AffineMap,
    ChannelPartition,
    Coupling,
    FromTransform,
    LeakyReLU,
    MaskPartition,
    Permutation,
    SlicePartition,
)
from preimage.nets import MLP


class Swap(Bijection):
    """Two inputs, exchanged and the first one doubled."""

    domain = codomain = (Reals(2), Reals(3))

    def forward_and_log_det(self, x, context=None):
        a, b = x
        return (2 * a, b + 1), a.new_full(a.shape[:1], 2 * np.log(2))

    def inverse_and_log_det(self, y, context=None):
        a, b = y
        return (a / 2, b - 1), a.new_full(a.shape[:1], -2 * np.log(2))


class Logit(Bijection):
    """A map with a restricted domain."""

    domain = Interval(0, 1)

    def forward_and_log_det(self, x, context=None):
        return x.log() - (-x).log1p(), -(x.log() + (-x).log1p()).sum(1)

    def inverse_and_log_det(self, y, context=None):
        return y.sigmoid(), (-torch.nn.functional.softplus(y) - torch.nn.functional.softplus(-y)).sum(1)


class WrongLogDet(LeakyReLU):
    def forward_and_log_det(self, x, context=None):
        return x, x


class WrongInverse(LeakyReLU):
    """An inverse that is off by a thousandth."""

    def inverse_elements(self, y):
        x, log_slope = super().inverse_elements(y)
        return x * 1.001, log_slope


CONDITIONAL = Coupling(torch.tensor([True, False]), MLP(1, 2, (4,), context=3), context=3)

REFUSED = {
    "wrong number of features": (
        Affine(3),
        torch.ones(2, 4),
        None,
        ShapeError,
        r"Affine\.forward_and_log_det: x has shape \(2, 4\), wanted \(N, 3, \.\.\.\)",
    ),
    "scalar": (LeakyReLU(), torch.tensor(1.0), None, ShapeError, r"has shape \(\)"),
    "wrong rank": (
        Coupling(MaskPartition.checkerboard(2, 2), torch.nn.Conv2d(1, 2, 1)),
        torch.ones(2, 2, 2),
        None,
        ShapeError,
        r"wanted \(N, \*, 2, 2\)",
    ),
    "integers": (
        LeakyReLU(),
        torch.ones(2, 2, dtype=torch.long),
        None,
        ShapeError,
        r"int64.*write x\.float\(\)",
    ),
    "complex": (LeakyReLU(), torch.ones(2, 2, dtype=torch.complex64), None, ShapeError, "complex64"),
    "half precision": (LeakyReLU(), torch.ones(2, 2).half(), None, ShapeError, "float16"),
    "other precision than the layer": (
        Affine(2),
        torch.ones(2, 2).double(),
        None,
        ShapeError,
        "layer holds torch.float32",
    ),
    "other device than the layer": (
        Affine(2),
        torch.ones(2, 2, device="meta"),
        None,
        ShapeError,
        "on meta.*on cpu",
    ),
    "numpy": (LeakyReLU(), np.ones((2, 2)), None, ShapeError, "ndarray.*as_tensor"),
    "tuple instead of tensor": (
        LeakyReLU(),
        (torch.ones(2, 2), torch.ones(2, 2)),
        None,
        ShapeError,
        "a tuple of 2 tensors, wanted one tensor",
    ),
    "tensor instead of tuple": (
        Swap(),
        torch.ones(2, 2),
        None,
        ShapeError,
        "one tensor, wanted a tuple of 2",
    ),
    "tuple of different batches": (
        Swap(),
        (torch.ones(2, 2), torch.ones(3, 3)),
        None,
        ShapeError,
        "batches of 2, 3",
    ),
    "below the domain": (
        Logit(),
        torch.tensor([[0.5, -1.0], [0.1, 0.2]]),
        None,
        DomainError,
        r"open interval \(0, 1\).*1 values in 1 of 2 rows.*-1",
    ),
    "on an open bound": (Logit(), torch.ones(2, 2), None, DomainError, "4 values in 2 of 2 rows"),
    "missing context": (CONDITIONAL, torch.ones(2, 2), None, ContextError, r"missing.*\(N, 3\)"),
    "context with too few rows": (
        CONDITIONAL,
        torch.ones(2, 2),
        torch.ones(1, 3),
        ShapeError,
        "1 rows, the input 2",
    ),
    "context of wrong shape": (
        CONDITIONAL,
        torch.ones(2, 2),
        torch.ones(2, 4),
        ShapeError,
        r"context has shape \(2, 4\)",
    ),
    "context is no tensor": (CONDITIONAL, torch.ones(2, 2), [1, 2], ContextError, "list"),
    "superfluous context": (LeakyReLU(), torch.ones(2, 2), torch.ones(2, 3), ContextError, "takes none"),
    "superfluous context of a chain": (
        Chain(LeakyReLU()),
        torch.ones(2, 2),
        torch.ones(2, 3),
        ContextError,
        "Chain",
    ),
    "missing context in a chain": (Chain(CONDITIONAL), torch.ones(2, 2), None, ContextError, "missing"),
    "conditioner of wrong size": (
        Coupling(torch.tensor([True, False]), torch.nn.Linear(1, 3)),
        torch.ones(2, 2),
        None,
        ShapeError,
        r"returned shape \(2, 3\), wanted \(2, 2\)",
    ),
    "log_det of wrong shape": (
        WrongLogDet(),
        torch.ones(2, 2),
        None,
        ShapeError,
        r"log_det of shape \(2, 2\), wanted \(2,\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused_with_a_clear_message(name: str) -> None:
    layer, x, context, error, message = REFUSED[name]
    with pytest.raises(error, match=f"(?s){message}"):
        layer.forward_and_log_det(x, context)
    with pytest.raises(error, match=f"(?s){message}"):
        layer(x, context)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeakyReLU(0.0), "slope"),
        (lambda: LeakyReLU(-1.0), "slope"),
        (lambda: Permutation([0, 0, 1]), "exactly once"),
        (lambda: ChannelPartition(torch.tensor([True, True])), "at least one False"),
        (lambda: ChannelPartition(torch.tensor([1, 0])), "bool"),
        (lambda: SlicePartition(3, keep=3), "0 to 2"),
        (lambda: Chain(LeakyReLU(), memory="none"), "autograd"),
    ],
)
def test_bad_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_chain_refuses_what_is_no_bijection() -> None:
    with pytest.raises(TypeError, match="Linear"):
        Chain(torch.nn.Linear(2, 2))


@pytest.mark.shows("3-1")
def test_double_inversion_returns_the_same_object() -> None:
    for layer in (LeakyReLU(), Affine(2), Chain(Affine(2), LeakyReLU())):
        assert layer.inv.inv is layer
        assert isinstance(layer.inv, Inverted)
        assert set(layer.inv.parameters()) == set(layer.parameters())


@pytest.mark.shows("3-1")
def test_chain_equals_its_layers_one_by_one() -> None:
    layers = [Affine(3), LeakyReLU(0.3), Permutation([2, 0, 1])]
    torch.nn.init.normal_(layers[0].log_scale)
    x, total = torch.randn(4, 3), torch.zeros(4)
    y = x
    for layer in layers:
        y, log_det = layer.forward_and_log_det(y)
        total = total + log_det
    for chain in (Chain(*layers), layers[0] @ layers[1] @ layers[2], Chain(Chain(*layers)[:2], layers[2])):
        actual, log_det = chain.forward_and_log_det(x)
        assert torch.equal(actual, y)
        torch.testing.assert_close(log_det, total)
    assert len(Chain(*layers)) == 3
    assert list(Chain(*layers)) == layers
    assert Chain(*layers)[1] is layers[1]


def test_several_tensors_in_and_out() -> None:
    x = (torch.randn(4, 2), torch.randn(4, 3))
    chain = Chain(Swap(), Swap())
    y = chain(x)
    assert isinstance(y, tuple)
    for actual, wanted in zip(chain.inverse(y), x, strict=True):
        torch.testing.assert_close(actual, wanted)


@pytest.mark.shows("3-2")
def test_volume_preserving_layers_have_log_det_exactly_zero() -> None:
    x = torch.randn(4, 3)
    coupling = Coupling(SlicePartition(3), MLP(1, 2, (4,)), AdditiveMap())
    for layer in (Permutation([1, 2, 0]), coupling):
        for found in (layer.forward_and_log_det(x)[1], layer.inverse_and_log_det(x)[1]):
            assert found.shape == (4,)
            assert not found.any()


@pytest.mark.shows("3-13")
def test_coupling_leaves_the_kept_part_alone_and_moves_the_rest() -> None:
    mask = torch.tensor([False, True, True, False, False])
    layer = Coupling(mask, torch.nn.Linear(2, 6))
    x = torch.randn(4, 5)
    y = layer(x)
    assert torch.equal(y[:, mask], x[:, mask])
    assert (y[:, ~mask] != x[:, ~mask]).all()


def test_bounded_scale_keeps_large_network_outputs_finite() -> None:
    layer = Coupling(torch.tensor([True, False]), torch.nn.Linear(1, 2))
    torch.nn.init.constant_(layer.conditioner.weight, 1e3)
    y, log_det = layer.forward_and_log_det(torch.full((1, 2), 1e3))
    assert y.isfinite().all()
    assert log_det.abs().item() <= 1.0


class TestCertificate:
    def test_right_inverse_is_certified(self) -> None:
        _, certificate = Affine(3).certified_inverse(torch.randn(4, 3))
        assert certificate.ok
        assert len(certificate) == 4
        assert certificate.residual.shape == certificate.error_bound.shape == (4,)

    def test_wrong_inverse_raises_warns_or_becomes_nan(self) -> None:
        y = torch.randn(4, 3) - 5
        layer = WrongInverse()
        with pytest.raises(NotConvergedError, match="f\\(x\\) differs from y"):
            layer.certified_inverse(y)
        with pytest.warns(NumericalWarning, match="4 of 4"):
            x, certificate = layer.certified_inverse(y, on_error="warn")
        torch.testing.assert_close(certificate.residual, torch.full((4,), 1e-3), rtol=1e-2, atol=0)
        assert x.isfinite().all()
        assert layer.certified_inverse(y, on_error="nan")[0].isnan().all()

    def test_rows_outside_the_range_are_nan_and_the_others_right(self) -> None:
        y = torch.tensor([[0.2, 0.3], [0.5, 1.5], [0.5, 0.75]])
        layer = Logit().inv
        x, certificate = layer.certified_inverse(y, on_error="nan")
        assert certificate.converged.tolist() == [True, False, True]
        torch.testing.assert_close(certificate.domain_violation, torch.tensor([0.0, 0.5, 0.0]))
        torch.testing.assert_close(x[[0, 2]], torch.logit(y[[0, 2]]))
        assert x[1].isnan().all()

    def test_violations_deep_in_a_chain_are_found(self) -> None:
        chain = Chain(Affine(2), Logit().inv, Affine(2))
        with torch.no_grad():
            chain[2].shift.fill_(3.0)
        y = torch.tensor([[3.5, 3.5], [0.0, 3.5], [5.0, 3.5]])
        _, certificate = chain.certified_inverse(y, on_error="nan")
        assert certificate.converged.tolist() == [True, False, False]
        torch.testing.assert_close(certificate.domain_violation, torch.tensor([0.0, 3.0, 1.0]))

    def test_ill_determined_answers_are_flagged_although_the_residual_is_zero(self) -> None:
        squash = Chain(*[Affine(1) for _ in range(2)])
        with torch.no_grad():
            squash[0].log_scale.fill_(-14.0)
            squash[1].shift.fill_(1.0)
        x = torch.tensor([[0.3]])
        found = squash.inverse(squash(x))
        certificate = certify(squash, found, squash(x))
        assert (found - x).abs() > 1e-3
        assert certificate.residual.item() < 1e-6
        assert not certificate.ok
        assert "ill-determined" in certificate.message

    def test_nan_is_flagged_in_its_row(self) -> None:
        y = torch.randn(3, 2)
        y[1, 0] = float("nan")
        _, certificate = Affine(2).certified_inverse(y, on_error="nan")
        assert certificate.converged.tolist() == [True, False, True]

    def test_context_and_tuples(self) -> None:
        context = torch.randn(4, 3)
        _, certificate = CONDITIONAL.certified_inverse(torch.randn(4, 2), context)
        assert certificate.ok
        (a, b), certificate = Swap().certified_inverse((torch.ones(4, 2), torch.ones(4, 3)))
        assert certificate.ok
        assert a.shape == (4, 2)
        assert b.shape == (4, 3)

    def test_empty_batch(self) -> None:
        x, certificate = Affine(2).certified_inverse(torch.empty(0, 2))
        assert x.shape == (0, 2)
        assert certificate.ok


class Spy(Affine):
    """Counts its evaluations."""

    count = 0

    def forward_elements(self, x):
        Spy.count += 1
        return super().forward_elements(x)

    def inverse_elements(self, y):
        Spy.count += 1
        return super().inverse_elements(y)


@pytest.mark.shows("3-4")
class TestDistributions:
    def flow(self, layer: Bijection, features: int, context=None) -> TransformedDistribution:
        base = Independent(Normal(torch.zeros(features), 1.0), 1)
        return TransformedDistribution(base, [layer.as_transform(context).inv])

    def test_density_integrates_to_one(self) -> None:
        torch.manual_seed(0)
        masks = torch.tensor([True, False]), torch.tensor([False, True])
        layer = Chain(*[Coupling(mask, torch.nn.Linear(1, 2), AffineMap(0.7)) for mask in masks], Affine(2))
        flow = self.flow(layer, 2)
        axis = torch.linspace(-15, 15, 601)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
        with torch.no_grad():
            density = flow.log_prob(grid).exp().numpy()
        total = integrate.simpson(integrate.simpson(density, x=axis.numpy()), x=axis.numpy())
        assert abs(total - 1) < 1e-3

    def test_log_prob_is_base_plus_log_det(self) -> None:
        layer, x = Affine(3), torch.randn(5, 3)
        torch.nn.init.normal_(layer.log_scale)
        y, log_det = layer.forward_and_log_det(x)
        wanted = Normal(0.0, 1.0).log_prob(y).sum(1) + log_det
        torch.testing.assert_close(self.flow(layer, 3).log_prob(x), wanted)

    def test_one_evaluation_per_log_prob_in_both_directions(self) -> None:
        base = Independent(Normal(torch.zeros(2), 1.0), 1)
        for transform in (Spy(2).as_transform(), Spy(2).as_transform().inv):
            flow, x = TransformedDistribution(base, [transform]), torch.randn(4, 2)
            Spy.count = 0
            flow.log_prob(x)
            assert Spy.count == 1

    def test_sample_shapes_batches_and_context(self) -> None:
        context = torch.randn(4, 3)
        base = Independent(Normal(torch.zeros(4, 2), 1.0), 1)
        flow = TransformedDistribution(base, [CONDITIONAL.as_transform(context).inv])
        x = flow.rsample((7, 5))
        assert x.shape == (7, 5, 4, 2)
        log_prob = flow.log_prob(x)
        assert log_prob.shape == (7, 5, 4)
        one = Normal(0.0, 1.0).log_prob(CONDITIONAL(x[3, 2], context)).sum(1)
        torch.testing.assert_close(log_prob[3, 2], one + CONDITIONAL.forward_and_log_det(x[3, 2], context)[1])

    def test_elementwise_map_without_event_dimensions(self) -> None:
        transform, x = LeakyReLU(0.5).as_transform(event_dim=0), torch.tensor([[-1.0, 2.0]])
        torch.testing.assert_close(
            transform.log_abs_det_jacobian(x, transform(x)), torch.tensor([[-np.log(2), 0.0]]).float()
        )

    def test_domains_become_constraints(self) -> None:
        transform = Logit().as_transform()
        assert not transform.domain.check(torch.tensor([0.5, 2.0]))
        assert transform.domain.check(torch.tensor([0.5, 0.2]))
        assert transform.codomain.event_dim == 1

    def test_stale_log_det_is_never_used(self) -> None:
        layer, x = Affine(2), torch.randn(3, 2)
        transform = layer.as_transform()
        y = transform(x)
        other = torch.randn(3, 2)
        with torch.no_grad():
            layer.log_scale.fill_(1.0)
        torch.testing.assert_close(transform.log_abs_det_jacobian(other, layer(other)), torch.full((3,), 2.0))
        assert y.shape == x.shape

    def test_maps_of_several_tensors_are_refused(self) -> None:
        with pytest.raises(TypeError, match="takes 2"):
            Swap().as_transform()

    @pytest.mark.parametrize("transform", [ExpTransform(), TanhTransform(), AffineTransform(1.0, -2.0)])
    def test_from_transform_agrees(self, transform) -> None:
        layer, x = FromTransform(transform), torch.randn(4, 3, dtype=torch.float64)
        y, log_det = layer.forward_and_log_det(x)
        torch.testing.assert_close(y, transform(x))
        torch.testing.assert_close(log_det, transform.log_abs_det_jacobian(x, y).sum(1))
        torch.testing.assert_close(layer.inverse_and_log_det(y)[1], -log_det)

    def test_from_transform_refuses_what_is_not_bijective_or_outside(self) -> None:
        with pytest.raises(NotInvertibleError, match="AbsTransform"):
            FromTransform(torch.distributions.transforms.AbsTransform())
        with pytest.raises(DomainError, match="inf"):
            FromTransform(ExpTransform()).inverse(torch.tensor([[-1.0]]))

    @pytest.mark.parametrize(
        "transform",
        [
            SigmoidTransform(),
            SigmoidTransform().inv,
            StickBreakingTransform(),
            ComposeTransform([ExpTransform(), SigmoidTransform()]),
            IndependentTransform(ComposeTransform([SigmoidTransform()]).inv, 1),
            StackTransform([ExpTransform(), SigmoidTransform()]),
        ],
    )
    def test_from_transform_refuses_what_clips(self, transform) -> None:
        with pytest.raises(NotInvertibleError, match=r"SigmoidTransform clamps.*Sigmoid\(\)|StickBreaking"):
            FromTransform(transform)

    def test_there_and_back(self) -> None:
        layer, x = Affine(2), torch.randn(3, 2)
        torch.nn.init.normal_(layer.log_scale)
        twice = FromTransform(layer.as_transform())
        for actual, wanted in zip(twice.forward_and_log_det(x), layer.forward_and_log_det(x), strict=True):
            torch.testing.assert_close(actual, wanted)


class TestDomains:
    @pytest.mark.parametrize(
        ("domain", "fits", "does_not"),
        [
            (Reals(), [(), (2,), (3, 4)], []),
            (Reals(3), [(3,)], [(), (2,), (3, 1)]),
            (Reals(3, ...), [(3,), (3, 4), (3, 4, 5)], [(), (4, 3)]),
            (Reals(None, 4), [(1, 4), (9, 4)], [(4,), (4, 1), (1, 4, 1)]),
        ],
    )
    def test_shapes(self, domain: Domain, fits: list, does_not: list) -> None:
        assert all(domain.fits(shape) for shape in fits)
        assert not any(domain.fits(shape) for shape in does_not)

    @pytest.mark.parametrize("low,high", [(0, 1), (-2, 5), (0, np.inf), (-np.inf, 3), (-np.inf, np.inf)])  # noqa: PT006
    @pytest.mark.parametrize("closed", [True, False])
    def test_interval_samples_and_edges_lie_inside(self, low: float, high: float, closed: bool) -> None:
        domain = Interval(low, high, 3, ..., closed=closed)
        assert not domain.outside(domain.sample(50, (2,))).any()
        assert not domain.outside(domain.edges(torch.float32)).any()
        assert domain.constraint.check(domain.sample(50)).all()

    def test_violation_is_the_distance(self) -> None:
        x = torch.tensor([-1.0, 0.0, 0.5, 1.0, 3.0])
        found = Interval(0, 1).violation(x)
        torch.testing.assert_close(found[[0, 2, 4]], torch.tensor([1.0, 0.0, 2.0]))
        assert (found[[1, 3]] > 0).all()
        assert not Interval(0, 1, closed=True).violation(x)[[1, 3]].any()

    def test_nan_is_not_outside(self) -> None:
        assert not Interval(0, 1).outside(torch.tensor([float("nan")])).any()

    def test_description(self) -> None:
        assert re.fullmatch(r"the closed interval \[0, 1\]", str(Interval(0, 1, closed=True)))
        assert Reals(3, None, ...).describe_shape() == "(N, 3, *, ...)"
