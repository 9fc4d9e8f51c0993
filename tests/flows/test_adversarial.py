"""Flows against critics: the losses, the penalties, and training in both directions."""

import math
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from preimage import Chain, flows
from preimage.errors import ContextError
from preimage.flows import Flow, Mixture, Normal
from preimage.flows.adversarial import (
    BothWays,
    BothZeroCentred,
    ConvCritic,
    FlatCritic,
    Hinge,
    NonSaturating,
    NoPenalty,
    Relativistic,
    UnitSlope,
    Wasserstein,
    ZeroCentred,
    fit_both_ways,
    spectral,
)
from preimage.layers import ActNorm, Affine, LULinear

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from known_densities import KNOWN

GAMES = [NonSaturating(), Relativistic(), Wasserstein(), Hinge()]
PENALTIES = [ZeroCentred(0.7), BothZeroCentred(0.7), UnitSlope(0.7)]


@pytest.mark.parametrize("game", GAMES, ids=lambda game: type(game).__name__)
def test_each_player_gains_where_its_side_is_scored_better(game):
    real, made = torch.tensor([0.5, -0.2]), torch.tensor([0.1, 0.3])
    assert (game.critic_losses(real + 0.1, made - 0.1) < game.critic_losses(real, made)).all()
    assert (game.flow_losses(real, made + 0.1) < game.flow_losses(real, made)).all()


def test_logistic_losses_are_cross_entropies():
    real, made = torch.randn(5), torch.randn(5)
    entropy = nn.functional.binary_cross_entropy_with_logits
    wanted = entropy(real, torch.ones(5)) + entropy(made, torch.zeros(5))
    assert torch.allclose(NonSaturating().critic_losses(real, made).mean(), wanted)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: type(penalty).__name__)
def test_penalties_of_a_quadratic_critic_are_those_by_hand(penalty):
    weight = torch.tensor(1.5, requires_grad=True)
    real, made = torch.randn(2, 6, 3, 2, dtype=torch.float64)
    torch.manual_seed(3)
    losses = penalty.losses(lambda x: weight * x.square().flatten(1).sum(1), real, made)
    torch.manual_seed(3)
    share = torch.rand(6, dtype=torch.float64)[:, None, None]

    def square(x):
        return (2 * 1.5 * x).square().flatten(1).sum(1)

    wanted = {
        ZeroCentred: lambda: 0.35 * square(real),
        BothZeroCentred: lambda: 0.35 * (square(real) + square(made)),
        UnitSlope: lambda: 0.7 * (square(real + share * (made - real)).sqrt() - 1).square(),
    }[type(penalty)]()
    assert torch.allclose(losses, wanted)
    losses.sum().backward()
    assert weight.grad != 0


def test_spectral_critics_have_a_slope_of_at_most_one_a_layer():
    torch.manual_seed(0)
    critic = spectral(FlatCritic(4, (16, 16))).train()
    with torch.no_grad():
        critic.layers[0].parametrizations.weight.original.mul_(50)
        for _ in range(50):
            critic(torch.zeros(1, 4))
    x = torch.randn(200, 4, requires_grad=True)
    (slopes,) = torch.autograd.grad(critic(x).sum(), x)
    assert slopes.norm(dim=1).max() < 1.1**3  # the slope of the activation is at most 1.1
    spectral(ConvCritic((1, 8, 8), 4))(torch.zeros(2, 1, 8, 8))


class TestGradients:
    """One descent moves every player down its own loss, and only its own."""

    def players(self, weights, game=None):
        torch.manual_seed(0)
        flow = Flow(Affine(2), Normal(2)).double()
        critics = [FlatCritic(2, (8,)).double() for _ in range(2)]
        return BothWays(flow, *critics, game or NonSaturating(), NoPenalty(), weights)

    def test_of_the_flow_are_those_of_its_game(self):
        players = self.players((1.0, 0.0, 0.0))
        x = torch.randn(50, 2, dtype=torch.float64)
        torch.manual_seed(1)
        players(x).sum().backward()
        found = players.flow.bijection.shift.grad.clone()
        players.zero_grad()
        torch.manual_seed(1)
        made = players.flow.bijection.inverse(players.flow.base.draw(50))
        nn.functional.softplus(-players.critic(made)).sum().backward()
        assert torch.allclose(found, players.flow.bijection.shift.grad)
        assert all(parameter.grad is None for parameter in players.latent_critic.parameters())

    def test_of_the_critic_are_those_of_a_classifier(self):
        players = self.players((0.5, 0.0, 0.0))
        x = torch.randn(50, 2, dtype=torch.float64)
        torch.manual_seed(1)
        players(x).sum().backward()
        found = [parameter.grad.clone() for parameter in players.critic.parameters()]
        players.zero_grad()
        torch.manual_seed(1)
        made = players.flow.bijection.inverse(players.flow.base.draw(50)).detach()
        scores = torch.cat([players.critic(x), players.critic(made)])
        labels = torch.cat([torch.ones(50), torch.zeros(50)]).double()
        loss = nn.functional.binary_cross_entropy_with_logits(scores, labels, reduction="sum")
        loss.backward()
        for grad, parameter in zip(found, players.critic.parameters(), strict=True):
            assert torch.allclose(grad, parameter.grad)

    def test_likelihood_alone_is_maximum_likelihood(self):
        players = self.players((0.0, 0.0, 1.0))
        x = torch.randn(9, 2, dtype=torch.float64)
        assert torch.allclose(players(x), -players.flow.log_prob(x) / 2)


@pytest.mark.shows("3-22")
def test_a_purely_adversarial_flow_finds_a_correlation_in_both_spaces():
    """Without any likelihood, from scales that fit and a correlation that does not."""
    torch.manual_seed(0)
    x = torch.randn(2000, 2) @ torch.tensor([[1.0, 0.9], [0.0, 0.436]]) + 3
    flow = Flow(Chain(ActNorm(2), LULinear(2)), Normal(2))
    critics = {name: FlatCritic(2, (32,)) for name in ("critic", "latent_critic")}
    settings = {"steps": 300, "batch_size": 128, "learning_rate": 1e-2, "progress": False, "average": 0.95}
    fit_both_ways(flow, x, likelihood=0.0, **critics, **settings)
    assert flow.sample(4000).T.corrcoef()[0, 1] > 0.75
    assert flow.encode(x).detach().T.corrcoef()[0, 1].abs() < 0.3
    record = flow.history[-1]
    assert 0.35 < record["data_told_apart"] < 0.65
    assert 0.35 < record["latent_told_apart"] < 0.65


@pytest.mark.shows("3-22")
@pytest.mark.parametrize("name", KNOWN)
def test_densities_are_learnt_to_near_the_true_entropy(name):
    """Maximum likelihood with both critics beside it: no instability, and close to the truth."""
    known = KNOWN[name]
    x = known.draw(2000, torch.Generator().manual_seed(0)).float()
    torch.manual_seed(0)
    flow = flows.nsf_coupling(known.features, transforms=3, hidden_features=(32,))
    fit_both_ways(flow, x, epochs=10, batch_size=128, learning_rate=4e-3, progress=False)
    held = known.draw(2000, torch.Generator().manual_seed(1))
    with torch.no_grad():
        divergence = (known.log_prob(held) - flow.log_prob(held.float()).double()).mean().item()
    normal = torch.distributions.MultivariateNormal(held.mean(0), held.T.cov())
    at_first = (known.log_prob(held) - normal.log_prob(held)).mean().item()
    assert -0.05 < divergence < 0.85 * at_first
    assert all(record["rollbacks"] == 0 for record in flow.history)


@pytest.mark.parametrize("name", KNOWN)
def test_known_densities_integrate_to_one(name):
    known = KNOWN[name]
    x = known.draw(20_000, torch.Generator().manual_seed(0))
    wide = torch.distributions.MultivariateNormal(x.mean(0), 2 * x.T.cov())
    torch.manual_seed(0)
    points = wide.sample((100_000,))
    weights = (known.log_prob(points) - wide.log_prob(points)).exp()
    assert abs(weights.mean().item() - 1) < 5 * weights.std().item() / math.sqrt(len(points))


class TestKindsOfFlows:
    def test_pictures_of_bytes_with_several_latents(self):
        torch.manual_seed(0)
        flow = flows.glow((1, 8, 8), levels=2, steps=1, hidden_features=(8,), grey_levels=16)
        fit_both_ways(flow, torch.randint(16, (48, 1, 8, 8)), epochs=1, batch_size=16, progress=False)
        assert flow.sample(2).shape == (2, 1, 8, 8)
        assert flow.history[0]["nll"] > 0

    def test_context_reaches_the_critics(self):
        torch.manual_seed(0)
        flow, context = flows.realnvp(2, context=3, transforms=2), torch.randn(64, 3)
        fit_both_ways(flow, torch.randn(64, 2), context=context, epochs=1, batch_size=32, progress=False)
        assert flow.sample(2, context).shape == (2, 64, 2)

    def test_labels_need_a_critic_that_reads_them(self):
        flow = Flow(Affine(2), flows.ClassConditionalNormal(2, classes=3))
        labels = torch.randint(3, (64,))
        with pytest.raises(ContextError, match="one_hot"):
            fit_both_ways(flow, torch.randn(64, 2), context=labels, epochs=1, progress=False)

    def test_bases_without_gradients_of_draws_train_too(self):
        flow = Flow(Affine(2), Mixture([Normal(2, learn=True), Normal(2, learn=True)]))
        fit_both_ways(flow, torch.randn(64, 2), epochs=1, progress=False)

    @pytest.mark.parametrize(
        "wrong", [{"likelihood": -1.0}, dict.fromkeys(("likelihood", "data_weight"), 0.0)]
    )
    def test_bad_weights_are_refused(self, wrong):
        settings = {"latent_weight": 0.0} | wrong
        with pytest.raises(ValueError, match="0 or more, not all 0"):
            fit_both_ways(flows.realnvp(2), torch.randn(64, 2), epochs=1, **settings)

    @pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
    def test_bad_penalties_are_refused(self, weight):
        with pytest.raises(ValueError, match="positive"):
            ZeroCentred(weight)


def test_a_finished_run_is_found_again_with_all_its_players(tmp_path):
    x = torch.randn(128, 2, generator=torch.Generator().manual_seed(0))

    def run(epochs):
        torch.manual_seed(0)
        flow = flows.realnvp(2, transforms=2)
        settings = {
            "epochs": epochs,
            "batch_size": 32,
            "progress": False,
            "schedule": "constant",
            "warm_up": 0.0,
        }
        return fit_both_ways(flow, x, checkpoint=tmp_path, **settings)

    first, again = run(2), run(2)
    assert len(again.history) == 2
    for one, two in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)
