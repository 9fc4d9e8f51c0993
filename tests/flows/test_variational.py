"""Losses from the flow's own samples, and the diagnostics of their weights."""

import math

import pytest
import torch
from torch import nn

from preimage import flows
from preimage.flows import Flow, Normal
from preimage.flows.variational import (
    ImportanceSample,
    fit_density,
    importance_sample,
    importance_weighted_bound,
    path_reverse_kl,
    reverse_kl,
)
from preimage.layers import Affine
from preimage.training import FitSettings


def scaled(deviation, shift=0.0):
    """A normal distribution as a flow."""
    flow = Flow(Affine(1), Normal(1)).double()
    with torch.no_grad():
        flow.bijection.log_scale.fill_(-math.log(deviation))
        flow.bijection.shift.fill_(-shift / deviation)
    return flow


def standard(x):
    """The standard normal density times a constant of 7."""
    return (-0.5 * x.square() - 0.5 * math.log(2 * math.pi)).sum(1) + math.log(7.0)


def test_reverse_divergence_of_normals():
    torch.manual_seed(0)
    flow = scaled(0.5, 1.0)
    values = reverse_kl(flow, standard, 40_000)
    exact = math.log(2.0) + (0.25 + 1) / 2 - 0.5 - math.log(7.0)
    assert values.mean().item() == pytest.approx(exact, abs=4 * values.std().item() / 200)


def gradient(loss, flow, count=20_000):
    flow.zero_grad()
    loss(flow, standard, count).mean().backward()
    return torch.cat([parameter.grad.flatten() for parameter in flow.parameters()])


def test_path_gradient_is_unbiased():
    torch.manual_seed(0)
    flow = scaled(0.6, 0.3)
    plain, path = gradient(reverse_kl, flow), gradient(path_reverse_kl, flow)
    assert (plain - path).abs().max() < 0.05


def test_path_gradient_has_no_noise_where_the_flow_is_exact():
    torch.manual_seed(0)
    exact = scaled(1.0)
    assert gradient(path_reverse_kl, exact, 10).abs().max() < 1e-12
    assert gradient(reverse_kl, exact, 10).abs().max() > 1e-3


def test_bound_rises_with_particles_towards_the_constant():
    torch.manual_seed(0)
    flow = scaled(0.7)
    bounds = [importance_weighted_bound(flow, standard, 4000, k).mean().item() for k in (1, 4, 16)]
    assert bounds == sorted(bounds)
    assert bounds[-1] == pytest.approx(math.log(7.0), abs=0.05)
    assert bounds[-1] < math.log(7.0) + 0.02


def test_fit_density_finds_a_bent_target():
    torch.manual_seed(0)

    def banana(x):
        return -0.5 * (x[:, 0] / 2).square() - 0.5 * ((x[:, 1] - 0.25 * x[:, 0].square()) / 0.5).square()

    flow = flows.nsf_coupling(2, transforms=4, hidden_features=(32,))
    settings = FitSettings(batch_size=256, learning_rate=5e-3, progress=False)
    fit_density(flow, banana, draws=80_000, settings=settings)
    sample = importance_sample(flow, banana, 4000)
    assert sample.effective_sample_size > 2000
    assert abs(sample.log_evidence - math.log(2 * math.pi * 2 * 0.5)) < 5 * sample.log_evidence_error + 0.01


class TestImportance:
    @pytest.mark.parametrize("deviation", [0.5, 0.7, 0.9])
    def test_shape_of_the_tail_is_that_of_theory(self, deviation):
        # Weights of a normal target under a narrower normal have tail index 1 - deviation^2.
        generator = torch.Generator().manual_seed(0)
        shapes = [
            importance_sample(scaled(deviation), standard, 20_000, generator=generator).pareto_shape
            for _ in range(5)
        ]
        assert sum(shapes) / 5 == pytest.approx(1 - deviation**2, abs=0.12)

    def test_a_flow_that_is_too_narrow_is_not_reliable(self):
        generator = torch.Generator().manual_seed(0)
        assert not importance_sample(scaled(0.3), standard, 5000, generator=generator).reliable
        assert importance_sample(scaled(1.2), standard, 5000, generator=generator).reliable

    def test_evidence_and_its_error(self):
        generator = torch.Generator().manual_seed(0)
        samples = [importance_sample(scaled(1.3), standard, 2000, generator=generator) for _ in range(200)]
        off = torch.tensor([(s.log_evidence - math.log(7.0)) / s.log_evidence_error for s in samples])
        assert 0.9 < (off.abs() < 1.96).double().mean() < 0.99

    def test_effective_size(self):
        equal = ImportanceSample(torch.zeros(50, 1), torch.full((50,), -3.0))
        one = ImportanceSample(torch.zeros(50, 1), torch.cat([torch.zeros(1), torch.full((49,), -100.0)]))
        assert equal.effective_sample_size == pytest.approx(50)
        assert one.effective_sample_size == pytest.approx(1)

    def test_smoothing_lowers_the_error_of_heavy_weights(self):
        generator = torch.Generator().manual_seed(0)
        plain, smooth = [], []
        for _ in range(200):
            sample = importance_sample(scaled(0.6), standard, 1000, generator=generator)
            square = sample.x[:, 0].square()
            plain.append((sample.log_weights.softmax(0) * square).sum() - 1)
            smooth.append((sample.smoothed_log_weights().exp() * square).sum() - 1)
        errors = [torch.stack(values).square().mean().sqrt() for values in (plain, smooth)]
        assert errors[1] < errors[0]

    def test_few_samples_have_no_shape(self):
        assert math.isnan(ImportanceSample(torch.zeros(5, 1), torch.zeros(5)).pareto_shape)


def test_context_is_one_row():
    flow = flows.iaf(2, context=3)
    nn.init.normal_(flow.bijection[0].inv.net.last.weight)
    x = path_reverse_kl(flow, lambda x: -x.square().sum(1), 6, torch.ones(1, 3))
    assert x.shape == (6,)
