"""Adversarial training in both directions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from preimage.checks import as_tuple
from preimage.errors import ContextError
from preimage.flows.adversarial.critics import FlatCritic, default_critic
from preimage.flows.adversarial.games import Game, Relativistic
from preimage.flows.adversarial.penalties import BothZeroCentred, Penalty
from preimage.flows.adversarial.players import BothWays
from preimage.flows.flow import Flow
from preimage.training import FitSettings, as_source, fit


def fit_both_ways(
    flow: Flow,
    data: Any,
    *,
    context: Any = None,
    likelihood: float = 1.0,
    data_weight: float = 1.0,
    latent_weight: float = 1.0,
    critic: nn.Module | None = None,
    latent_critic: nn.Module | None = None,
    game: Game | None = None,
    penalty: Penalty | None = None,
    **settings: Any,
) -> Flow:
    r"""Train a flow against two critics, of its samples and of the latents of data, and by likelihood.

    The critic of data sees :math:`x` and :math:`f^{-1}(z)`, the critic of latents :math:`z` and :math:`f(x)`:
    both distributions that a flow should match are compared as samples, see :class:`BothWays`. All players
    take their step together, in the loop of :func:`preimage.training.fit` with everything it offers;
    ``average`` is 0.99 unless said otherwise, because the mean of the weights is better than the last ones.

    Reference: Grover, Dhar, Ermon (2018), Flow-GAN, https://arxiv.org/abs/1705.08868

    Args:
        flow: the flow, trained in place; ``nsf_coupling``, ``realnvp`` and ``glow`` are fast both ways.
        data: as for :meth:`Flow.fit`.
        context: tensor or array ``(N, ...)``; the critics see it too.
        likelihood: weight of minus the log-density per dimension; 0 for a purely adversarial training.
        data_weight: weight of the game about data; 0 for none.
        latent_weight: weight of the game about latents; 0 for none.
        critic: the critic of data; one that fits the shape by default.
        latent_critic: the critic of latents; it gets a tuple where there are several.
        game: the losses; :class:`Relativistic` by default.
        penalty: on both critics; :class:`BothZeroCentred` with weight 0.1 by default.
        settings: see :class:`preimage.training.FitSettings`.

    Returns:
        The flow itself, with the run in ``history``: losses of every player, ``nll``, and the shares of pairs
        that the critics tell apart, which are 0.5 where a critic sees no difference.

    Raises:
        ValueError: a weight is negative, or all are 0.
        ContextError: the context is not of real numbers, and a critic is missing that can read it.
        NotConvergedError: the loss diverged again and again.

    Cost: about three times that of training by likelihood for vectors.

    Example:
        >>> import torch
        >>> from preimage import flows
        >>> flow = fit_both_ways(flows.realnvp(2), torch.randn(64, 2), epochs=1, progress=False)
        >>> sorted(flow.history[0])[:3]
        ['data_critic', 'data_game', 'data_told_apart']
    """
    weights = (data_weight, latent_weight, likelihood)
    if min(weights) < 0 or not any(weights):
        raise ValueError(
            f"fit_both_ways: data_weight, latent_weight and likelihood are {weights}, wanted numbers of 0 or"
            " more, not all 0"
        )
    shape, told = _shapes(data, context, critic is None or latent_critic is None)
    players = BothWays(
        flow,
        default_critic(shape, told) if critic is None else critic,
        FlatCritic(flow.base.dimensions(), context=told) if latent_critic is None else latent_critic,
        Relativistic() if game is None else game,
        BothZeroCentred(0.1) if penalty is None else penalty,
        weights,
    )
    players.to(next(flow.parameters()))
    flow.history = fit(
        players,
        _losses,
        data,
        FitSettings(**({"average": 0.99, "hold_out": 0.0, "patience": 0} | settings)),
        context=context,
        units=lambda loss: players.record(),
    )
    return flow


def _losses(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    return model(*batch)


def _shapes(data: Any, context: Any, needed: bool) -> tuple[tuple[int, ...], int]:
    """The shape of a row of data, and how many numbers a row of the context holds."""

    x, *told = as_source(data, context).rows(torch.tensor([0]))
    if told and needed and not told[0].is_floating_point():
        raise ContextError(
            f"fit_both_ways: the context holds {told[0].dtype}, wanted real numbers, such as"
            " torch.nn.functional.one_hot(labels).float(); or give critic= and latent_critic="
        )
    return tuple(as_tuple(x)[0].shape[1:]), sum(math.prod(part.shape[1:]) for part in told)
