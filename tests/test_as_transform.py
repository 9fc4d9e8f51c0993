"""Bijections as transforms of torch.distributions."""

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

from preimage import Bijection, Chain
from preimage.errors import (
    DomainError,
    NotInvertibleError,
    NotSupportedError,
)
from preimage.layers import (
    Affine,
    AffineMap,
    Coupling,
    FromTransform,
    LeakyReLU,
)
from small_bijections import CONDITIONAL, Logit, Swap


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


def test_a_map_of_several_numbers_has_no_sign() -> None:
    with pytest.raises(NotSupportedError, match="cdf"):
        _ = Affine(2).as_transform().sign
