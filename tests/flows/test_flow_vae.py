"""The flow VAE: its bound against a model whose likelihood is known, free bits, training."""

import math

import pytest
import torch
from torch import nn

from preimage import Chain, flows
from preimage.errors import ShapeError
from preimage.flows import Flow, Normal
from preimage.flows.variational import (
    BernoulliObservation,
    FlowVAE,
    NormalObservation,
    flow_posterior,
)


def linear_model(transforms=0):
    """x = W z + 0.5 noise: the likelihood and the posterior are normal distributions."""
    torch.manual_seed(0)
    decoder = nn.Linear(2, 3, bias=False)
    posterior = flow_posterior(2, context=3, transforms=transforms)
    model = FlowVAE(
        nn.Identity(), posterior, Flow(Chain(), Normal(2)), decoder, NormalObservation(0.5)
    ).double()
    weight = decoder.weight.detach()
    covariance = weight @ weight.T + 0.25 * torch.eye(3, dtype=torch.float64)
    truth = torch.distributions.MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance)
    return model, truth, weight


def set_to_the_posterior(model, weight):
    """The normal base gives the exact posterior mean; its deviations are those of independent latents."""
    precision = torch.eye(2, dtype=torch.float64) + weight.T @ weight / 0.25
    covariance = torch.linalg.inv(precision)
    with torch.no_grad():
        model.posterior.base.network.weight.zero_()
        model.posterior.base.network.weight[:2] = covariance @ weight.T / 0.25
        model.posterior.base.network.bias.zero_()
        model.posterior.base.network.bias[2:] = -0.5 * precision.diagonal().log()


def test_the_bound_rises_with_particles_to_the_exact_likelihood():
    model, truth, weight = linear_model()
    set_to_the_posterior(model, weight)
    x = truth.sample((300,))
    exact = truth.log_prob(x)
    with torch.no_grad():
        bounds = [torch.stack([model.bound(x, k) for _ in range(4)]).mean() for k in (1, 8, 256)]
    gaps = [(exact.mean() - bound).item() for bound in bounds]
    assert gaps == sorted(gaps, reverse=True)
    assert abs(gaps[-1]) < 0.02
    assert gaps[0] > -0.02


def test_weights_integrate_to_the_likelihood_for_any_flow():
    """The mean of p(x, z) / q(z | x) is p(x) whatever q is, here an autoregressive flow off its start."""
    model, truth, weight = linear_model(transforms=2)
    set_to_the_posterior(model, weight)
    with torch.no_grad():
        for parameter in model.posterior.bijection.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        x = truth.sample((20,))
        estimate = model.bound(x, 8000)
    assert torch.allclose(estimate, truth.log_prob(x), atol=0.12)


def test_training_with_a_flow_reaches_the_likelihood_of_correlated_latents():
    model, truth, _ = linear_model(transforms=2)
    x = truth.sample((1500,))
    for parameter in [*model.decoder.parameters(), *model.observation.parameters()]:
        parameter.requires_grad_(False)
    model.fit(x, epochs=12, batch_size=100, learning_rate=1e-2, progress=False)
    gap = truth.log_prob(x).mean() - model.bound(x, 64).mean()
    assert -0.02 < gap.item() < 0.05
    assert model.history[-1]["loss"] < model.history[0]["loss"]


def test_free_bits_keep_latents_in_use():
    torch.manual_seed(0)
    x = (torch.rand(400, 6) < 0.5).float()  # nothing to learn: latents collapse where they cost anything

    def trained(free_bits):
        torch.manual_seed(1)
        parts = nn.Linear(6, 8), flow_posterior(2, 8, transforms=1), Flow(Chain(), Normal(2)), nn.Linear(2, 6)
        model = FlowVAE(*parts, BernoulliObservation())
        settings = {"epochs": 30, "batch_size": 50, "learning_rate": 1e-2, "progress": False}
        return model.fit(x, free_bits=free_bits, **settings).latent_divergence(x, 20).mean().item()

    assert trained(0.0) < 0.25
    assert 0.7 < trained(1.0) < 1.8


def test_pictures_with_a_flow_prior():
    torch.manual_seed(0)
    x = torch.rand(40, 1, 8, 8).round()
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.SiLU())
    decoder = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)))
    prior = flows.realnvp(4, transforms=2, hidden_features=(16,))
    model = FlowVAE(encoder, flow_posterior(4, 16), prior, decoder, BernoulliObservation())
    model.fit(x, particles=3, epochs=2, batch_size=10, progress=False)
    assert model.encode(x, 5).shape == (5, 40, 4)
    assert model.decode(model.encode(x)[0]).shape == x.shape
    assert set(model.sample(6).unique().tolist()) <= {0.0, 1.0}


def test_observations_are_those_of_torch():
    x, decoded = torch.rand(5, 2, 3), torch.randn(5, 2, 3)
    bits = x.round()
    wanted = torch.distributions.Bernoulli(logits=decoded).log_prob(bits).sum((1, 2))
    assert torch.allclose(BernoulliObservation().log_prob(bits, decoded), wanted)
    wanted = torch.distributions.Normal(decoded, 0.3).log_prob(x).sum((1, 2))
    assert torch.allclose(NormalObservation(0.3).log_prob(x, decoded), wanted, atol=1e-5)
    torch.manual_seed(0)
    drawn = NormalObservation(0.3).draw(torch.full((20_000, 1), 2.0))
    assert drawn.std().item() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    "wrong",
    [{"particles": 0}, {"free_bits": -1.0}, {"free_bits": 1.0, "particles": 2}],
)
def test_bad_objectives_are_refused(wrong):
    with pytest.raises(ValueError, match="wanted"):
        linear_model()[0].fit(torch.zeros(9, 3), **wrong)


def test_bad_parts_are_refused():
    with pytest.raises(ValueError, match="wanted 1"):
        flow_posterior(0, 3)
    with pytest.raises(ValueError, match="positive"):
        NormalObservation(-math.inf)
    model, truth, _ = linear_model()
    model.encoder = nn.Linear(3, 5).double()
    with pytest.raises(ShapeError):
        model.bound(truth.sample((4,)))
