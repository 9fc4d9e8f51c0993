"""Why whole numbers need noise, and what a change of volume does to a density."""

import itertools
import math

import pytest
import torch

from preimage.flows import Flow, Normal, Uniform, mixture_of_normals
from preimage.layers import Affine, Dequantisation


@pytest.mark.shows("4-3")
def test_a_mixture_collapses_on_whole_numbers_and_not_on_dequantised_ones():
    """Three points: without noise the likelihood grows without bound, with noise the entropy is the limit."""
    points, entropy = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64), math.log(3)
    x = points.repeat(2000)[:, None]
    generator = torch.Generator().manual_seed(0)
    spread = x + torch.rand(x.shape, generator=generator, dtype=torch.float64)
    base = mixture_of_normals(1, components=3).double()

    def nll(data, middle, deviation):
        with torch.no_grad():
            for member, point in zip(base.components, points + middle, strict=True):
                member.location.fill_(point)
                member.log_scale.fill_(math.log(deviation))
            return -base.log_prob(data).mean().item()

    narrower = [nll(x, 0.0, 10.0**-power) for power in range(1, 7)]
    assert all(b < a - 2.3 for a, b in itertools.pairwise(narrower))  # log 10 a step, without end
    assert narrower[-1] < -10  # no code is shorter than the entropy: this is no likelihood
    bounded = [nll(spread, 0.5, 10 ** -(tenth / 10)) for tenth in range(30)]
    assert entropy - 0.05 < min(bounded) < entropy + 0.3
    assert bounded[-1] > entropy + 10


@pytest.mark.shows("4-3")
def test_dequantised_divergence_bounds_the_discrete_one():
    """KL(P || Q) <= KL of the spread distributions, and the mean of log q(x + u) <= sum of P log Q."""
    generator = torch.Generator().manual_seed(0)
    levels, mass = 8, torch.softmax(torch.randn(8, generator=generator, dtype=torch.float64), 0)
    base = Normal(1).double()
    fine = (torch.arange(levels * 4000, dtype=torch.float64) + 0.5) / 4000  # places in the bins
    scale = 1 / 2.0
    log_q = base.log_prob(((fine - 3.5) * scale)[:, None]) + math.log(scale)
    log_q = log_q.view(levels, 4000)
    discrete = log_q.exp().mean(1)  # Q of each bin
    spread = (mass * log_q.mean(1)).sum()
    exact = (mass * discrete.log()).sum()
    assert spread < exact - 1e-3
    divergence = (mass * (mass.log() - discrete.log())).sum()
    spread_divergence = (mass * (mass.log() - log_q.mean(1))).sum()
    assert 0 < divergence < spread_divergence
    flow = Flow(Affine(1), base, surjection=Dequantisation(levels)).double()
    with torch.no_grad():
        flow.bijection.log_scale.fill_(math.log(levels * scale))
        flow.bijection.shift.fill_(-3.5 * scale)
    x = torch.arange(levels, dtype=torch.float64)[:, None]
    torch.manual_seed(0)
    drawn = torch.stack([flow.log_prob(x).detach() for _ in range(4000)]).mean(0)
    assert (mass * drawn).sum().item() == pytest.approx(spread.item(), abs=0.02)


@pytest.mark.shows("4-2")
def test_bits_are_minus_log_two_over_the_number_of_values():
    flow = Flow(Affine(4), Normal(4))
    x = torch.randn(7, 4)
    wanted = -torch.log2(flow.log_prob(x).double().exp()) / 4
    assert torch.allclose(flow.bits_per_dim(x).double(), wanted, atol=1e-5)
    whole = Flow(Affine(4), Uniform(4), surjection=Dequantisation(256))
    assert torch.allclose(whole.bits_per_dim(torch.randint(256, (5, 4))), torch.full((5,), 8.0))


@pytest.mark.shows("4-4")
def test_squeezing_an_interval_of_length_two_to_one_doubles_the_density():
    """x uniform on [0, 2]; y = x / 2 on [0, 1]: density 1/2 becomes 1, and masses stay."""
    flow = Flow(Affine(1), Uniform(1)).double()
    with torch.no_grad():
        flow.bijection.log_scale.fill_(-math.log(2.0))
    x = torch.linspace(0.05, 1.95, 9, dtype=torch.float64)[:, None]
    y, log_det = flow.bijection.forward_and_log_det(x)
    assert torch.allclose(y, x / 2)
    assert torch.allclose(log_det.exp(), torch.full((9,), 0.5, dtype=torch.float64))
    assert torch.allclose(flow.base.log_prob(y).exp(), torch.ones(9, dtype=torch.float64))
    assert torch.allclose(flow.log_prob(x).exp(), torch.full((9,), 0.5, dtype=torch.float64))
    middle = ((torch.arange(2000, dtype=torch.float64) + 0.5) / 1000)[:, None]
    assert flow.log_prob(middle).exp().mean().item() * 2 == pytest.approx(1.0)
