"""Losses whose samples come from the flow itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from preimage.flows.flow import Flow
from preimage.layers import ActNorm, WhiteningNorm
from preimage.training import FitSettings, History, fit

LogDensity = Callable[[Tensor], Tensor]
"""The log of a density up to a constant: from samples ``(N, *event)`` to ``(N,)``."""


def reverse_kl(flow: Flow, log_density: LogDensity, count: int, context: Any = None) -> Tensor:
    r"""Single-sample values of the reverse divergence, up to the constant of the target.

    .. math:: \mathrm{KL}(q \| p) = \mathbb E_{x \sim q} [\log q(x) - \log p(x)]

    Reference: Rezende, Mohamed (2015), Variational inference with normalizing flows,
    https://arxiv.org/abs/1505.05770

    Args:
        flow: the approximation q; its samples must be differentiable.
        log_density: the target, ``(N, *event)`` to ``(N,)``, up to a constant.
        count: number of samples.
        context: conditioning values ``(1, ...)``, for conditional flows.

    Returns:
        Tensor ``(count,)``, whose mean is the loss.

    Cost: one pass of the inverse.

    Example:
        >>> from preimage import flows
        >>> reverse_kl(flows.iaf(2), lambda x: -x.square().sum(1) / 2, 4).shape
        torch.Size([4])
    """
    x, log_prob = _drawn(flow, count, context)
    return log_prob - log_density(x)


def path_reverse_kl(flow: Flow, log_density: LogDensity, count: int, context: Any = None) -> Tensor:
    r"""The same values as :func:`reverse_kl`, with the gradient through the samples alone.

    What is left out, :math:`\mathbb E_q \nabla_\theta \log q_\theta(x)`, is zero on average, so the gradient
    is unbiased; and it vanishes for every single sample where the flow is exact, so its noise does too.

    Reference: Roeder, Wu, Duvenaud (2017), Sticking the landing, https://arxiv.org/abs/1703.09194;
    Vaitl, Nicoli, Nakajima, Kessel (2022), path-gradient estimators for flows,
    https://arxiv.org/abs/2207.08219

    Args:
        flow: the approximation q.
        log_density: the target.
        count: number of samples.
        context: conditioning values ``(1, ...)``.

    Returns:
        Tensor ``(count,)``.

    Cost: one pass of the inverse and one of the density.

    Example:
        >>> from preimage import flows
        >>> path_reverse_kl(flows.iaf(2), lambda x: -x.square().sum(1) / 2, 4).shape
        torch.Size([4])
    """
    x, _ = _drawn(flow, count, context)
    frozen = {name: parameter.detach() for name, parameter in flow.named_parameters()}
    arguments = (x,) if context is None else (x, context.expand(count, *context.shape[1:]))
    log_prob = torch.func.functional_call(flow, frozen, arguments)
    return log_prob - log_density(x)


def importance_weighted_bound(
    flow: Flow, log_density: LogDensity, count: int, particles: int, context: Any = None
) -> Tensor:
    r"""The importance-weighted bound on the log of the constant Z of the target, from K particles.

    .. math:: \log Z \ge \mathbb E\left[\log \frac1K \sum_k \frac{p(x_k)}{q(x_k)}\right]

    Reference: Burda, Grosse, Salakhutdinov (2016), Importance weighted autoencoders,
    https://arxiv.org/abs/1509.00519

    Args:
        flow: the proposal q.
        log_density: the target.
        count: number of bounds.
        particles: samples K of each; one gives minus the reverse divergence.
        context: conditioning values ``(1, ...)``.

    Returns:
        Tensor ``(count,)``, whose mean is the bound.

    Cost: ``count * particles`` samples.

    Example:
        >>> from preimage import flows
        >>> importance_weighted_bound(flows.iaf(2), lambda x: -x.square().sum(1) / 2, 4, particles=3).shape
        torch.Size([4])
    """
    log_weights = -reverse_kl(flow, log_density, count * particles, context).view(count, particles)
    return log_weights.logsumexp(dim=1) - math.log(particles)


def fit_density(
    flow: Flow,
    log_density: LogDensity,
    *,
    draws: int = 500_000,
    objective: Callable[[Flow, LogDensity, int], Tensor] = path_reverse_kl,
    settings: FitSettings | None = None,
) -> History:
    """Fit a flow to a density by its own samples, with the loop of :func:`preimage.training.fit`.

    Args:
        flow: the flow, trained in place; ``iaf`` and the coupling flows have the fastest samples.
        log_density: the target, up to a constant.
        draws: samples altogether; an epoch is a hundredth of them.
        objective: one of the losses of this module.
        settings: of the run.

    Returns:
        The history; its losses are divergences up to the constant of the target.

    Raises:
        NotConvergedError: the loss diverged again and again.

    Cost: as many samples as draws.

    Example:
        >>> from preimage import flows
        >>> quiet = FitSettings(progress=False, batch_size=64)
        >>> history = fit_density(flows.iaf(2), lambda x: -x.square().sum(1) / 2, draws=6400, settings=quiet)
        >>> len(history)
        100
    """
    for layer in flow.modules():
        if isinstance(layer, ActNorm | WhiteningNorm):
            layer.settle()  # samples run backwards only, and no data will come
    epochs = 100
    settings = FitSettings() if settings is None else settings
    plan = FitSettings(**(vars(settings) | {"epochs": epochs, "hold_out": 0.0, "patience": 0}))
    rows = max(plan.batch_size, draws // epochs)

    def losses(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return objective(model, log_density, len(batch[0]))  # pyright: ignore[reportArgumentType]

    return fit(flow, losses, torch.zeros(rows, 1), plan)


def _drawn(flow: Flow, count: int, context: Any) -> tuple[Tensor, Tensor]:
    x, log_prob = flow.rsample_and_log_prob(count, context)
    return (x, log_prob) if context is None else (x[:, 0], log_prob[:, 0])
