"""Continuous flows trained without solving their equation."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from preimage.bijection import Chain
from preimage.errors import NotInvertibleError
from preimage.flows.flow import Flow
from preimage.layers import NeuralODE
from preimage.training import FitSettings, fit


def flow_matching_losses(ode: NeuralODE, x: Tensor, z: Tensor, time: Tensor, context: Any = None) -> Tensor:
    r"""Squared distance of the velocity from that of straight lines between data and latents.

    .. math:: \ell = \left\|v(tT,\; (1 - t)\, x + t\, z) - \frac{z - x}{T}\right\|^2

    Its minimum over all velocities moves the data to the latents in distribution.

    Reference: Lipman, Chen, Ben-Hamu, Nickel, Le (2023), Flow matching, https://arxiv.org/abs/2210.02747;
    Liu, Gong, Liu (2023), https://arxiv.org/abs/2209.03003

    Args:
        ode: the layer whose velocity is trained.
        x: data ``(N, *event)``.
        z: latents ``(N, *event)``, drawn from the base.
        time: t in [0, 1], ``(N,)``.
        context: conditioning values ``(N, ...)``.

    Returns:
        Tensor ``(N,)``.

    Cost: one evaluation of the velocity.

    Example:
        >>> from preimage import flows
        >>> ode = flows.ffjord(2).bijection[1]
        >>> flow_matching_losses(ode, torch.zeros(3, 2), torch.zeros(3, 2), torch.rand(3)).shape
        torch.Size([3])
    """
    share = time.reshape(-1, *[1] * (x.dim() - 1))
    place = (1 - share) * x + share * z
    wanted = (z - x) / ode.duration
    arguments = () if context is None else (context,)
    # One time for each row, where the solver has one for all.
    velocity = ode.velocity(share * ode.duration, place, *arguments)
    return (velocity - wanted).square().flatten(1).sum(1)


def fit_flow_matching(
    flow: Flow, data: Any, *, context: Any = None, validation: Any = None, **settings: Any
) -> Flow:
    """Train a flow that ends in one :class:`~preimage.layers.NeuralODE` by flow matching.

    Every step costs one evaluation of the velocity instead of some seventy with their derivatives. The
    density stays that of the flow: ``log_prob`` is exact with an exact trace, and with random probes it has a
    standard error.

    Reference: Lipman, Chen, Ben-Hamu, Nickel, Le (2023), https://arxiv.org/abs/2210.02747

    Args:
        flow: such as ``flows.ffjord(8)``; layers before the NeuralODE are run, not trained.
        data: as for :meth:`Flow.fit`.
        context: tensor or array ``(N, ...)``.
        validation: data to validate with.
        settings: see :class:`preimage.training.FitSettings`.

    Returns:
        The flow itself, with the run in ``history``.

    Raises:
        NotInvertibleError: the flow does not end in one NeuralODE.

    Cost: one evaluation of the velocity a row and step.

    Example:
        >>> from preimage import flows
        >>> flow = fit_flow_matching(flows.ffjord(2), torch.randn(64, 2), epochs=1, progress=False)
        >>> flow.log_prob(torch.zeros(1, 2)).shape
        torch.Size([1])
    """
    chain = flow.bijection if isinstance(flow.bijection, Chain) else Chain(flow.bijection)
    ode = chain[-1] if len(chain) else None
    if not isinstance(ode, NeuralODE) or any(isinstance(layer, NeuralODE) for layer in list(chain)[:-1]):
        raise NotInvertibleError(
            "fit_flow_matching: the flow must end in its only NeuralODE, such as flows.ffjord"
        )
    before = cast(Chain, chain[:-1])
    trained = _Matching(flow, before, ode)
    flow.history = fit(
        trained,
        lambda model, batch: cast(Tensor, model(*batch)),
        data,
        FitSettings(**settings),
        context=context,
        validation=validation,
    )
    return flow


class _Matching(nn.Module):
    """The losses of flow matching as a module, so that several processes can share the work."""

    def __init__(self, flow: Flow, before: Chain, ode: NeuralODE) -> None:
        super().__init__()
        self.ode, self._parts = ode, (flow, before)

    def forward(self, x: Tensor, context: Any = None) -> Tensor:
        """The loss of every row, at a random time and with a random latent."""
        flow, before = self._parts
        with torch.no_grad():
            x = x if flow.surjection is None else flow.surjection(x)
            context = context if flow.embedding is None or context is None else flow.embedding(context)
            x = before(x, context if before.context_domain is not None else None)
            z = flow.base.draw(x.shape[0], context if flow.base.context_domain is not None else None)
            time = torch.rand(x.shape[0], dtype=x.dtype, device=x.device)
        return flow_matching_losses(self.ode, x, z, time, context if self.ode.context_domain else None)
