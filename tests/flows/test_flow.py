"""A flow is the density that its parts say, its samples follow it, and torch.distributions agrees."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

from preimage import Chain
from preimage.errors import ContextError, NotInvertibleError, ShapeError
from preimage.flows import (
    ClassConditionalNormal,
    ConditionalLocationScale,
    Flow,
    FlowDistribution,
    Joint,
    Normal,
    mixture_of_normals,
)
from preimage.layers import Affine, Coupling, LULinear, SignedTanh, Split
from preimage.nets import MLP

MASK = torch.tensor([True, False])


def curved(context=0):
    """A small flow in two dimensions that is neither linear nor the identity."""
    torch.manual_seed(0)
    layers = []
    for _ in range(2):
        net = MLP(1, 2, (16,), context=context)
        for parameter in net.parameters():
            nn.init.normal_(parameter, std=0.4)
        layers += [Coupling(MASK, net, context=context or None), LULinear(2)]
    return Chain(*layers).double()


@pytest.fixture
def flow():
    return Flow(curved(), Normal(2).double())


@pytest.mark.shows("4-2", "3-4")
def test_integrates_to_one(flow):
    side = torch.linspace(-14, 14, 701, dtype=torch.float64)
    with torch.no_grad():
        total = flow.log_prob(torch.cartesian_prod(side, side)).exp().sum() * (28 / 700) ** 2
    assert abs(total.item() - 1) < 1e-3


def test_samples_are_distributed_as_the_latents_say(flow):
    x = flow.sample(3000, generator=torch.Generator().manual_seed(0))
    z = flow.encode(x).detach().flatten().numpy()
    assert stats.kstest(z, "norm").pvalue > 1e-3


def test_a_linear_flow_is_a_multivariate_normal():
    torch.manual_seed(0)
    linear = Chain(Affine(3), LULinear(3)).double()
    for parameter in linear.parameters():
        nn.init.normal_(parameter, std=0.3)
    flow = Flow(linear, Normal(3).double())
    x = torch.randn(9, 3, dtype=torch.float64)
    matrix = torch.func.jacrev(lambda row: linear.inverse(row[None])[0])(x[0]).detach()
    mean = linear.inverse(torch.zeros(1, 3, dtype=torch.float64))[0].detach()
    expected = torch.distributions.MultivariateNormal(mean, matrix @ matrix.T).log_prob(x)
    torch.testing.assert_close(flow.log_prob(x).detach(), expected, rtol=0, atol=1e-6)


def test_one_pass_gives_sample_and_density(flow):
    x, log_prob = flow.rsample_and_log_prob(20)
    torch.testing.assert_close(log_prob, flow.log_prob(x))
    assert x.requires_grad
    x, log_prob = flow.sample_and_log_prob(20)
    assert not x.requires_grad
    torch.testing.assert_close(log_prob, flow.log_prob(x).detach())


def test_forward_is_log_prob_and_decode_undoes_encode(flow):
    x = torch.randn(4, 2, dtype=torch.float64)
    torch.testing.assert_close(flow(x), flow.log_prob(x))
    torch.testing.assert_close(flow.decode(flow.encode(x)), x)
    back, certificate = flow.certified_decode(flow.encode(x))
    torch.testing.assert_close(back, x)
    assert certificate.converged.all()


def test_bits_per_dim(flow):
    x = torch.randn(4, 2, dtype=torch.float64)
    torch.testing.assert_close(flow.bits_per_dim(x), -flow.log_prob(x) / (2 * math.log(2)))


def test_tempered_and_truncated_flows_are_densities_of_their_own(flow):
    cool = flow.tempered(0.5)
    x = cool.sample(2000, generator=torch.Generator().manual_seed(0))
    assert abs(flow.encode(x).std().item() - 0.5) < 0.03
    assert (flow.encode(flow.truncated(1.0).sample(500)).abs() <= 1 + 1e-9).all()
    with torch.no_grad():
        z, log_det = flow.bijection.forward_and_log_det(x)
        expected = Normal(2).double().tempered(0.5).log_prob(z) + log_det
        torch.testing.assert_close(cool.log_prob(x), expected)


class TestContext:
    def test_reaches_bijection_and_base(self):
        base = ConditionalLocationScale(2, network=nn.Linear(3, 4), context=3).double()
        flow = Flow(curved(context=3), base)
        context = torch.randn(5, 3, dtype=torch.float64)
        x = flow.sample(7, context)
        assert x.shape == (7, 5, 2)
        assert flow.log_prob(x[0], context).shape == (5,)
        other = flow.log_prob(x[0], context.flip(0))
        assert not torch.allclose(other, flow.log_prob(x[0], context))

    def test_rows_of_samples_belong_to_rows_of_the_context(self):
        flow = Flow(Affine(1).double(), ClassConditionalNormal(1, classes=2).double())
        with torch.no_grad():
            flow.base.location.copy_(torch.tensor([[-50.0], [50.0]]))
        x = flow.sample(6, torch.tensor([1, 0, 1]))[..., 0]  # (6, 3)
        assert (x[:, [0, 2]] > 0).all()
        assert (x[:, 1] < 0).all()

    def test_embedding_comes_first(self):
        flow = Flow(curved(context=3), Normal(2).double(), embedding=nn.Linear(10, 3).double())
        context = torch.randn(4, 10, dtype=torch.float64)
        assert flow.sample(2, context).shape == (2, 4, 2)
        assert flow.log_prob(torch.zeros(4, 2, dtype=torch.float64), context).shape == (4,)

    def test_is_missed_and_refused(self, flow):
        x = torch.zeros(4, 2, dtype=torch.float64)
        with pytest.raises(ContextError, match="takes none"):
            flow.log_prob(x, x)
        with pytest.raises(ContextError, match="context is missing"):
            Flow(curved(context=3), Normal(2).double()).log_prob(x)
        with pytest.raises(ContextError, match="context is missing"):
            Flow(curved(context=3), Normal(2).double(), nn.Linear(10, 3).double()).log_prob(x)


def test_several_latents_have_names():
    flow = Flow(Split([1, 3]), Joint(coarse=Normal(1), fine=Normal(3)))
    z = flow.encode(torch.arange(8.0).view(2, 4))
    assert z.fine.shape == (2, 3)
    assert torch.equal(flow.decode(z), torch.arange(8.0).view(2, 4))
    assert flow.sample(3).shape == (3, 4)


class TestDistribution:
    def test_batch_and_sample_shapes(self):
        flow = Flow(curved(context=3), Normal(2).double())
        context = torch.randn(5, 3, dtype=torch.float64)
        distribution = flow.distribution(context)
        assert (distribution.batch_shape, distribution.event_shape) == ((5,), (2,))
        x = distribution.sample((4, 6))
        assert x.shape == (4, 6, 5, 2)
        log_prob = distribution.log_prob(x)
        assert log_prob.shape == (4, 6, 5)
        torch.testing.assert_close(log_prob[2, 3], flow.log_prob(x[2, 3], context))
        assert distribution.log_prob(x[0, 0, 0]).shape == (5,)

    def test_is_what_kl_and_independent_need(self, flow):
        distribution = flow.distribution()
        assert isinstance(distribution, FlowDistribution)
        assert distribution.has_rsample
        assert distribution.rsample((3,)).requires_grad
        assert distribution.support.check(torch.zeros(2)).item()
        assert torch.distributions.Independent(distribution, 0).log_prob(torch.zeros(2).double()).shape == ()

    def test_several_tensors_are_refused(self):
        flow = Flow(Split([1, 3]).inv, Normal(4))
        with pytest.raises(ShapeError, match="2 tensors"):
            flow.distribution()


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="latents"):
        Flow(Affine(2), Normal(3))
    with pytest.raises(ShapeError, match="Joint for several"):
        Flow(Split([1, 3]), Normal(4))


def test_draws_of_a_mixture_are_not_differentiable(flow):
    mixed = Flow(flow.bijection, mixture_of_normals(2, 3).double())
    with pytest.raises(NotInvertibleError, match="not differentiable"):
        mixed.rsample(3)
    assert mixed.sample(3).shape == (3, 2)


@pytest.mark.parametrize("count", [-1, 2.5, None])
def test_bad_counts_are_refused(flow, count):
    with pytest.raises(ValueError, match="number of samples"):
        flow.sample(count)


def test_whole_numbers_are_fitted_as_real_ones():
    rows = [[i % 7, i % 5] for i in range(64)]
    whole = Flow(Affine(2), Normal(2)).fit(rows, epochs=1, progress=False)
    real = Flow(Affine(2), Normal(2)).fit(torch.tensor(rows).float(), epochs=1, progress=False)
    assert whole.history == real.history


def test_compiles_exports_and_trains():
    flow = Flow(Chain(SignedTanh(), Affine(2)), Normal(2))
    x = torch.randn(6, 2)
    exported = torch.export.export(flow, (x,))
    torch.testing.assert_close(exported.module()(x), flow(x))
    compiled = torch.compile(flow, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), flow(x))
    flow(x).mean().neg().backward()
    assert all(parameter.grad is not None for parameter in flow.parameters())
