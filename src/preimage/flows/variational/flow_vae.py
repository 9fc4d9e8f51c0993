"""Latent variables with any decoder, and a flow for what data say about them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from preimage import checks
from preimage.bijection import Chain
from preimage.flows.bases import ConditionalLocationScale
from preimage.flows.flow import Flow
from preimage.flows.presets import iaf
from preimage.flows.variational.observations import Observation
from preimage.layers import ActNorm
from preimage.training import FitSettings, History, fit


def flow_posterior(
    features: int, context: int, transforms: int = 2, hidden_features: Sequence[int] = (64,)
) -> Flow:
    r"""A posterior :math:`q(z \mid h)`: a normal distribution that h decides, then an autoregressive flow.

    Reference: Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016), Improved variational inference
    with inverse autoregressive flow, https://arxiv.org/abs/1606.04934

    Args:
        features: size of the latent z.
        context: size of h, what the encoder gives.
        transforms: autoregressive layers; 0 for the normal distribution alone.
        hidden_features: widths of their networks.

    Returns:
        A conditional flow whose samples and their densities cost one run of its networks.

    Raises:
        ValueError: a size is out of range.

    Example:
        >>> flow_posterior(2, context=5).sample(3, torch.zeros(4, 5)).shape
        torch.Size([3, 4, 2])
    """
    if features < 1 or context < 1 or transforms < 0:
        raise ValueError(
            f"flow_posterior: got features={features}, context={context}, transforms={transforms}, wanted 1,"
            " 1 and 0 or more"
        )
    base = ConditionalLocationScale(features, network=nn.Linear(context, 2 * features), context=context)
    if not transforms:
        return Flow(Chain(ActNorm(features)), base)
    layers = iaf(features, context, transforms, hidden_features).bijection
    return Flow(layers, base)


class FlowVAE(nn.Module):
    r"""A variational autoencoder whose posterior and prior may be any flows.

    .. math:: \log p(x) \ge \mathbb E_{z_k \sim q(\cdot \mid e(x))} \log \frac1K \sum_{k=1}^K
              \frac{p(x \mid d(z_k))\, p(z_k)}{q(z_k \mid e(x))}

    Reference: Rezende, Mohamed (2015), https://arxiv.org/abs/1505.05770; the bound: Burda, Grosse,
    Salakhutdinov (2016), https://arxiv.org/abs/1509.00519

    Args:
        encoder: module from data ``(N, *event)`` to ``(N, context)``.
        posterior: conditional flow over latents, such as :func:`flow_posterior`; draws must be
            differentiable.
        prior: flow over latents without a context, such as ``Flow(Chain(), Normal(8))`` or ``realnvp(8)``.
        decoder: module from latents ``(N, D)`` to ``(N, *event)``.
        observation: what its outputs mean.

    Cost: one run of every part for each latent drawn.

    Example:
        >>> from preimage.flows import Flow, Normal
        >>> from preimage.flows.variational import BernoulliObservation
        >>> parts = nn.Linear(6, 5), flow_posterior(2, 5), Flow(Chain(), Normal(2)), nn.Linear(2, 6)
        >>> model = FlowVAE(*parts, BernoulliObservation())
        >>> model.bound(torch.ones(3, 6), particles=4).shape, model.sample(7).shape
        (torch.Size([3]), torch.Size([7, 6]))
    """

    def __init__(
        self, encoder: nn.Module, posterior: Flow, prior: Flow, decoder: nn.Module, observation: Observation
    ) -> None:
        super().__init__()
        self.encoder, self.posterior, self.prior = encoder, posterior, prior
        self.decoder, self.observation = decoder, observation
        self.history = History()
        for layer in posterior.modules():
            if isinstance(layer, ActNorm):
                layer.settle()  # the posterior only runs backwards, so no data would set it

    def forward(self, x: Tensor, particles: int = 1) -> tuple[Tensor, Tensor]:
        r"""The two parts of the log-weights of latents drawn for each row.

        Args:
            x: data ``(N, *event)``.
            particles: latents K for each row.

        Returns:
            :math:`\log p(x \mid z_k)` and :math:`\log q(z_k \mid x) - \log p(z_k)`, each ``(K, N)``.

        Raises:
            ShapeError: the encoder gives what the posterior does not take.
        """
        z, log_q = self.posterior.rsample_and_log_prob(particles, self._encoded(x))  # (K, N, D), (K, N)
        flat = z.flatten(0, 1)
        log_p = self.prior.log_prob(flat).view_as(log_q)
        repeated = x.expand(particles, *x.shape).flatten(0, 1)
        fit_of_x = self.observation.log_prob(repeated, self.decoder(flat)).view_as(log_q)
        return fit_of_x, log_q - log_p

    def bound(self, x: Tensor, particles: int = 1) -> Tensor:
        """The bound on the log-likelihood of every row ``(N,)``, in nats; more particles, a tighter bound."""
        fit_of_x, excess = self(x, particles)
        return (fit_of_x - excess).logsumexp(0) - math.log(particles)

    def fit(self, data: Any, *, particles: int = 1, free_bits: float = 0.0, **settings: Any) -> Self:
        r"""Maximise the bound.

        With free bits the loss is :math:`-\overline{\log p(x \mid z)} + \max(\lambda, \overline{\log q(z \mid
        x) - \log p(z)})` with means over the batch: latents are used at least that much before they cost
        anything.

        Args:
            data: as for :meth:`preimage.flows.Flow.fit`.
            particles: of the importance-weighted bound.
            free_bits: lambda, nats a row over all latents; with one particle only.
            settings: see :class:`preimage.training.FitSettings`.

        Returns:
            The model itself, with the run in ``history``.

        Raises:
            ValueError: free bits with several particles, or numbers out of range.
            NotConvergedError: the loss diverged again and again.
        """
        if particles < 1 or free_bits < 0 or (free_bits and particles > 1):
            raise ValueError(
                f"FlowVAE.fit: got particles={particles} and free_bits={free_bits}, wanted 1 or more and 0 or"
                " more; free bits are for one particle only"
            )

        def losses(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
            fit_of_x, excess = cast("tuple[Tensor, Tensor]", model(batch[0], particles))
            if free_bits:
                return -fit_of_x[0] + excess[0].mean().clamp_min(free_bits)
            return math.log(particles) - (fit_of_x - excess).logsumexp(0)

        self.history = fit(self, losses, data, FitSettings(**settings))
        return self

    @torch.no_grad()
    def encode(self, x: Tensor, draws: int = 1, *, generator: torch.Generator | None = None) -> Tensor:
        """Latents that fit the data, ``(draws, N, D)``."""
        return self.posterior.sample(draws, self._encoded(x), generator=generator)

    def decode(self, z: Tensor) -> Tensor:
        """What is expected of x for latents ``(N, D)``, ``(N, *event)``."""
        return self.observation.mean(self.decoder(z))

    @torch.no_grad()
    def sample(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """New data ``(count, *event)``."""
        z = self.prior.sample(count, generator=generator)
        return self.observation.draw(self.decoder(z), generator)

    @torch.no_grad()
    def latent_divergence(self, x: Tensor, draws: int = 1) -> Tensor:
        r"""Estimates of :math:`\mathrm{KL}(q(z \mid x) \| p(z))` of every row in nats ``(N,)``."""
        return self(x, draws)[1].mean(0)

    def _encoded(self, x: Tensor) -> Tensor:
        h = cast(Tensor, self.encoder(x))
        wanted = self.posterior.bijection.context_domain or self.posterior.base.context_domain
        checks.check_context("FlowVAE: the encoder", h, wanted, len(x))
        return h
