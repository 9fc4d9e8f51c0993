"""Prototypes: by gradient, through an inverse, and of single channels against brute force."""

import math

import pytest
import torch
from class_problems import exact_classifier, small_classifier
from torch import nn

import preimage as pi
from preimage.bijection import Chain
from preimage.classify import (
    ChannelObjective,
    ChannelSettings,
    GenerativeClassifier,
    channel_prototypes,
    inverted_logits,
    refined_prototypes,
)
from preimage.errors import ShapeError
from preimage.flows import Flow, Normal, UnitClassConditionalNormal
from preimage.layers import Affine, Coupling
from preimage.nets import MLP


def random_double(*sizes, seed=0):
    return torch.randn(*sizes, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def signals():
    """A random classifier of signals with three channels of four samples, nonlinear across channels."""
    torch.manual_seed(4)
    stays = torch.arange(3) < 2

    class Mixing(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = MLP(8, 8, [8])

        def forward(self, kept):
            return self.net(kept.flatten(1)).reshape(-1, 2, 4)

    base = UnitClassConditionalNormal(3, 4, classes=2, means=0.5 * torch.randn(2, 3, 4))
    bijection = Chain(Affine((3, 4)), Coupling(stays, Mixing()))
    model = GenerativeClassifier(Flow(bijection, base), 2, priors=[0.6, 0.4], temperature=3.0).double()
    with torch.no_grad():
        for parameter in model.flow.bijection.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def test_density_maximum_of_a_normal_is_its_mean():
    model = exact_classifier()
    start = torch.randn(2, 2)
    found = refined_prototypes(model, start, [0, 1], class_weight=0.0, steps=400, learning_rate=0.1)
    torch.testing.assert_close(found.x, model.base.class_centres(), rtol=0, atol=1e-3)
    assert found.certificate.ok


@pytest.mark.shows("4-11")
def test_refinement_raises_what_it_is_told_to():
    model = small_classifier()
    start = model.prototypes()
    dense = refined_prototypes(model, start.x, start.labels, class_weight=0.0)
    assert (dense.log_prob >= start.log_prob - 1e-9).all()
    clear = refined_prototypes(model, start.x, start.labels, density_weight=0.1, class_weight=3.0)
    assert (clear.probability > start.probability).all()
    assert (clear.log_prob < dense.log_prob).all()


@pytest.mark.shows("4-11")
def test_refined_prototypes_are_stationary_points_of_the_formula():
    model = small_classifier()
    start = model.prototypes()
    found = refined_prototypes(
        model, start.x, start.labels, density_weight=0.7, class_weight=1.3, steps=600, learning_rate=0.05
    )
    x = found.x.clone().requires_grad_()
    table = torch.stack([model.flow.log_prob(x, torch.full((3,), c)) for c in range(3)], dim=1)
    every = torch.arange(3)
    log_class = (table / model.temperature + model.log_prior).log_softmax(1)[every, every]
    gradient = torch.autograd.grad((-0.7 * table[every, every] - 1.3 * log_class).sum(), x)[0]
    assert gradient.abs().max() < 1e-2


def test_any_network_with_a_flow_as_its_prior():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    prior = Flow(Chain(), Normal(3))
    start = torch.zeros(2, 3)
    plain = refined_prototypes(
        network, start, [0, 1], density_weight=0.0, bounds=(-3.0, 3.0), learning_rate=0.2
    )
    natural = refined_prototypes(network, start, [0, 1], density=prior, learning_rate=0.2)
    assert (plain.probability >= natural.probability).all()
    assert plain.log_prob.isnan().all()
    assert (natural.log_prob > prior.log_prob(plain.x)).all()
    assert plain.x.abs().max() <= 3


def test_any_network_through_its_inverse():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.3), nn.Linear(8, 3))
    found = inverted_logits(pi.invert(network, torch.zeros(1, 6)), classes=3, height=8.0)
    assert found.certificate.ok
    torch.testing.assert_close(network(found.x), 8 * torch.eye(3), rtol=0, atol=1e-3)
    assert found.probability.tolist() == pytest.approx([math.exp(8) / (math.exp(8) + 2)] * 3)


def channel_terms(model, background, value, channel, weights):
    """The generative and the class term of one value, by loops over samples and classes."""
    generative, discriminative, probability = [], [], []
    prior = model.log_prior.exp().tolist()
    temperature = model.temperature.item()
    rows = [[0.0, 0.0] for _ in background]
    for place, sample in enumerate(background):
        filled = sample.clone()
        filled[channel] = value
        for label in range(2):
            rows[place][label] = model.flow.log_prob(filled[None], torch.tensor([label])).item()
    for label in range(2):
        terms = [w * math.exp(row[label]) for w, row in zip(weights, rows, strict=True)]
        generative.append(math.log(sum(terms) / len(terms)))
    means = [sum(math.exp(row[c] / temperature) for row in rows) / len(rows) * prior[c] for c in range(2)]
    discriminative = [math.log(mean / sum(means)) for mean in means]
    for row in rows:
        odds = [prior[c] * math.exp(row[c] / temperature) for c in range(2)]
        probability.append([odd / sum(odds) for odd in odds])
    score = [sum(row[c] for row in probability) / len(probability) for c in range(2)]
    return generative, discriminative, score


@pytest.mark.shows("4-12")
@pytest.mark.parametrize("weighted", [False, True])
def test_channel_objective_against_loops(signals, weighted):
    background, values = random_double(9, 3, 4), random_double(2, 4, seed=1)
    log_prob = random_double(9, seed=2) - 3 if weighted else None
    objective = ChannelObjective(signals, 1, background, log_prob)
    table = objective.table(values)
    weights = [1.0] * 9 if log_prob is None else (-log_prob).exp().tolist()
    with torch.no_grad():
        for place, value in enumerate(values):
            generative, discriminative, score = channel_terms(signals, background, value, 1, weights)
            ours = (objective.generative(table)[place], objective.discriminative(table)[place])
            wanted = [torch.tensor(part, dtype=torch.float64) for part in (generative, discriminative, score)]
            torch.testing.assert_close(ours[0], wanted[0], rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(ours[1], wanted[1], rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(
                objective.probability(values)[place], wanted[2], rtol=1e-12, atol=1e-12
            )
            loss = objective.losses(values, torch.tensor([1, 1]), 0.3, 0.9)[place].item()
            assert loss == pytest.approx(-0.3 * generative[1] - 0.9 * discriminative[1], abs=1e-12)


@pytest.mark.shows("4-12")
def test_importance_weights_give_the_marginal_density_and_plain_means_do_not():
    means = torch.tensor([[[0.0], [0.0]], [[3.0], [1.0]]])
    base = UnitClassConditionalNormal(2, 1, classes=2, means=means)
    model = GenerativeClassifier(Flow(Chain(), base), 2).double()
    generator = torch.Generator().manual_seed(0)
    spread = 3.0  # the other channel is drawn widely, from N(0, 3^2)
    background = spread * torch.randn(20_000, 2, 1, generator=generator, dtype=torch.float64)
    density = torch.distributions.Normal(0.0, spread).log_prob(background[:, 0, 0])
    values = torch.linspace(-2, 3, 6, dtype=torch.float64)[:, None]
    weighted = ChannelObjective(model, 1, background, density)
    plain = ChannelObjective(model, 1, background)
    exact = torch.stack(
        [torch.distributions.Normal(m, 1.0).log_prob(values[:, 0]) for m in (0.0, 1.0)], dim=1
    )
    with torch.no_grad():
        torch.testing.assert_close(weighted.generative(weighted.table(values)), exact, rtol=0, atol=0.05)
        assert (plain.generative(plain.table(values)) - exact).abs().min() > 1.0


@pytest.mark.shows("4-12")
def test_planted_channels_are_found_and_the_others_are_called_unclear():
    torch.manual_seed(0)
    wave = torch.sin(torch.linspace(0, 6.28, 16))
    means = torch.zeros(2, 3, 16)
    means[0, 1], means[1, 1] = -0.5 * wave, 0.5 * wave
    base = UnitClassConditionalNormal(3, 16, classes=2, means=means)
    model = GenerativeClassifier(Flow(Chain(), base), 2).eval()
    labels = torch.arange(400) % 2
    background = base.draw(400, labels, torch.Generator().manual_seed(1)).detach()
    found = channel_prototypes(model, background, settings=ChannelSettings(steps=40, controls=10))
    assert found.clear.tolist() == [[False, True, False], [False, True, False]]
    for label, sign in ((0, -1), (1, 1)):
        correlation = torch.corrcoef(torch.stack([found.x[label, 1], sign * wave]))[0, 1]
        assert correlation > 0.9
    assert (found.probability[:, 1] > 0.85).all()
    again = channel_prototypes(model, background, channels=[1], settings=ChannelSettings(steps=2, controls=2))
    assert again.x.shape == (2, 1, 16)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda m: ChannelObjective(m, 3, torch.zeros(5, 3, 4)), ShapeError, "from 0 to C - 1"),
        (lambda m: ChannelObjective(m, 0, torch.zeros(0, 3, 4)), ShapeError, "one sample or more"),
        (lambda m: ChannelObjective(m, 0, torch.zeros(5, 3, 4), torch.zeros(4)), ShapeError, "every sample"),
        (lambda m: ChannelSettings(starts=1), ValueError, "or more"),
        (lambda m: refined_prototypes(m, torch.zeros(2, 3, 4), [0]), ShapeError, "each of 2"),
        (
            lambda m: refined_prototypes(nn.Flatten(0), torch.zeros(2, 3), [0, 1], density_weight=0.0),
            ShapeError,
            "wanted logits",
        ),
    ],
)
def test_bad_arguments_are_refused(signals, wrong, error, said):
    with pytest.raises(error, match=said):
        wrong(signals)
