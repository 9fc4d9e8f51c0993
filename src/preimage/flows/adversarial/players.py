"""The flow and its critics as one module with one loss, so that the usual loop can train them together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from preimage.checks import as_tuple, unpack
from preimage.flows.adversarial.games import Game
from preimage.flows.adversarial.penalties import Penalty
from preimage.flows.flow import Flow
from preimage.training.history import Record


class BothWays(nn.Module):
    r"""A flow between two critics: one compares samples with data, the other encoded data with latents.

    .. math:: \ell = \ell_D(D_x; x, f^{-1}(z)) + \ell_D(D_z; z, f(x)) + w_x\, \ell_F(D_x) + w_z\, \ell_F(D_z)
              - w \log p(x) / D

    A critic sees the flow's values without their gradient, and the flow sees the critics with their weights
    fixed; so one descent on the sum moves every player down its own loss.

    Reference: Grover, Dhar, Ermon (2018), Flow-GAN, https://arxiv.org/abs/1705.08868; both ways: Donahue,
    Krähenbühl, Darrell (2017), https://arxiv.org/abs/1605.09782

    Args:
        flow: the flow; where it dequantises, the critics see what its bijection takes.
        critic: module from data, and a context if there is one, to scores ``(N,)``.
        latent_critic: the same for latents, a tensor or a tuple of them.
        game: the losses.
        penalty: on both critics.
        weights: of the data critic in the loss of the flow, of the latent critic, and of the likelihood, each
            0 or more, in this order.

    Returns:
        The losses ``(N,)``.

    Cost: both directions of the flow, and some four runs of each critic with second derivatives.

    Example:
        >>> from preimage import flows
        >>> from preimage.flows.adversarial import FlatCritic, NonSaturating, ZeroCentred
        >>> parts = flows.realnvp(2), FlatCritic(2), FlatCritic(2), NonSaturating(), ZeroCentred(1.0)
        >>> BothWays(*parts, weights=(1.0, 1.0, 0.1))(torch.randn(5, 2)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        flow: Flow,
        critic: nn.Module,
        latent_critic: nn.Module,
        game: Game,
        penalty: Penalty,
        weights: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.flow, self.critic, self.latent_critic = flow, critic, latent_critic
        self.game, self.penalty, self.weights = game, penalty, weights
        self._seen: list[dict[str, Tensor]] = []

    def forward(self, x: Any, context: Any = None) -> Tensor:
        """The sum of the losses of all players for every row ``(N,)``."""
        flow = Flow(self.flow.bijection, self.flow.base)  # over real numbers, its context embedded
        x, weight = (
            (x, 0.0) if self.flow.surjection is None else self.flow.surjection.forward_and_log_weight(x)
        )
        rows = len(as_tuple(x)[0])
        told = context if self.flow.embedding is None or context is None else self.flow.embedding(context)
        encoded, log_prob = flow.encode_and_log_prob(x, told)  # first, as it may standardise
        drawn = flow.base.draw(rows, None if flow.base.context_domain is None else told)
        made = flow.bijection.inverse(_plain(drawn), None if flow.bijection.context_domain is None else told)
        data = self._contest("data", self.critic, self.weights[0], x, made, context)
        latent = self._contest(
            "latent", self.latent_critic, self.weights[1], _plain(drawn), _plain(encoded), context
        )
        nll = -(log_prob + weight)
        self._note({"nll": nll})
        return data + latent + self.weights[2] * nll / flow.base.dimensions()

    def record(self) -> Record:
        """Mean losses by player since the last call, and the shares that critics classify rightly."""
        names = dict.fromkeys(name for seen in self._seen for name in seen)
        means = {n: torch.stack([s[n] for s in self._seen if n in s]).mean().item() for n in names}
        self._seen.clear()
        return means

    def _contest(
        self, name: str, critic: nn.Module, weight: float, real: Any, made: Any, context: Any
    ) -> Tensor:
        """Both sides of one game; a game of weight 0 is not played."""
        if not weight:
            return as_tuple(made)[0].new_zeros(len(as_tuple(made)[0]))
        told = () if context is None else (context,)
        real, unmoved = _detached(real), _detached(made)
        scores = critic(real, *told), critic(unmoved, *told)
        penalty = self.penalty.losses(lambda values: critic(values, *told), real, unmoved)
        losses = self.game.critic_losses(*scores) + penalty
        right = ((scores[0] > scores[1]).to(losses.dtype)).mean()
        answers = self.game.flow_losses(scores[0].detach(), _frozen_scores(critic, made, told))
        self._note({f"{name}_critic": losses, f"{name}_game": answers, f"{name}_told_apart": right})
        return losses + weight * answers

    def _note(self, values: Mapping[str, Tensor]) -> None:
        if self.training and torch.is_grad_enabled():
            self._seen.append({name: value.detach().mean() for name, value in values.items()})


def _plain(z: Any) -> Any:
    """A named tuple as a plain one."""
    return tuple(z) if isinstance(z, tuple) else z


def _detached(values: Any) -> Any:
    return unpack(part.detach() for part in as_tuple(values))


def _frozen_scores(critic: nn.Module, values: Any, told: tuple[Any, ...]) -> Tensor:
    """Scores whose gradient reaches the values, not the weights of the critic."""
    frozen = {name: parameter.detach() for name, parameter in critic.named_parameters()}
    return cast(Tensor, torch.func.functional_call(critic, frozen, (values, *told)))
