"""A bijection and a base distribution: a density that can be evaluated and drawn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import Tensor, nn

from preimage import checks
from preimage.bijection import Bijection
from preimage.certificate import Certificate, OnError
from preimage.checks import Context, as_tuple, unpack
from preimage.errors import NotInvertibleError
from preimage.flows.bases.base import Base
from preimage.flows.distribution import FlowDistribution
from preimage.flows.shapes import check_fit, repeated, sample_rows
from preimage.layers import Surjection
from preimage.layers.surjection.surjection import Likelihood
from preimage.training import FitSettings, History, fit
from preimage.training.batches import Batch
from preimage.training.history import Listener, Record

if TYPE_CHECKING:
    from preimage.flows.recipe import Recipe


class Flow(nn.Module):
    r"""The distribution of :math:`x = f^{-1}(z)` for latents z of a base distribution.

    .. math:: \log p(x) = \log p_z(f(x)) + \log\left|\det \frac{\partial f}{\partial x}\right|

    ``forward`` is ``log_prob``, so that distributed training, compilation and hooks see the training path.

    Reference: Papamakarios, Nalisnick, Rezende, Mohamed, Lakshminarayanan (2021), Normalizing flows for
    probabilistic modeling and inference, https://arxiv.org/abs/1912.02762

    Args:
        bijection: the map f from data to latents.
        base: the distribution of the latents; its shape must fit the codomain of f.
        embedding: module applied to the context first, for example a network that summarises a picture.
        surjection: map from the data as they are to what the bijection takes, such as
            :class:`~preimage.layers.Dequantisation` for pictures of bytes; its log-weight is added.

    Raises:
        ShapeError: the latents of the bijection do not fit the base.

    Cost: one run of the bijection for a density; one run of its inverse for a sample.

    Example:
        >>> import torch
        >>> from preimage.flows import Flow, Normal
        >>> from preimage.layers import Affine
        >>> flow = Flow(Affine(2), Normal(2))
        >>> flow.log_prob(torch.zeros(3, 2)).shape, flow.sample(5).shape
        (torch.Size([3]), torch.Size([5, 2]))
    """

    def __init__(
        self,
        bijection: Bijection,
        base: Base,
        embedding: nn.Module | None = None,
        surjection: Surjection | None = None,
    ) -> None:
        super().__init__()
        check_fit(bijection, base)
        self.bijection = bijection
        self.base = base
        self.embedding = embedding
        self.surjection = surjection
        self.history = History()
        self.recipe: Recipe | None = None
        self.checked = ""
        """What loading found about the answers of this flow; empty where it is not from a file."""

    @property
    def likelihood(self) -> Likelihood:
        """``"exact"``, or ``"bound"`` where ``log_prob`` is random and a bound from below on average."""
        return "exact" if self.surjection is None else self.surjection.likelihood

    def forward(self, x: Any, context: Any = None) -> Tensor:
        """The log-density of every row ``(N,)``, as :meth:`log_prob`."""
        return self.log_prob(x, context)

    def log_prob(self, x: Any, context: Any = None) -> Tensor:
        """The log-density of every row, in nats.

        Args:
            x: data ``(N, *event)``.
            context: conditioning values ``(N, ...)``, for conditional flows.

        Returns:
            Tensor ``(N,)``.

        Raises:
            ShapeError: x does not fit the bijection.
            ContextError: the context is missing or superfluous.
        """
        return self.encode_and_log_prob(x, context)[1]

    def encode_and_log_prob(self, x: Any, context: Any = None) -> tuple[Any, Tensor]:
        """The latents and the log-density ``(N,)`` in one pass."""
        context = self._embed(context, as_tuple(x)[0].shape[0])
        x, weight = _lifted(self.surjection, x)
        z, log_det = self.bijection.forward_and_log_det(x, applicable(self.bijection, context))
        return self.base.named(z), self.base.log_prob(z, applicable(self.base, context)) + log_det + weight

    def encode(self, x: Any, context: Any = None) -> Any:
        """The latents of data: one tensor, or a named tuple of them for multi-scale flows."""
        context = self._embed(context, as_tuple(x)[0].shape[0])
        x, _ = _lifted(self.surjection, x)
        return self.base.named(self.bijection(x, applicable(self.bijection, context)))

    def decode(self, z: Any, context: Any = None) -> Any:
        """The data ``(N, *event)`` of latents, the inverse of :meth:`encode`."""
        context = self._embed(context, as_tuple(z)[0].shape[0])
        x = self.bijection.inverse(_plain(z), applicable(self.bijection, context))
        return x if self.surjection is None else self.surjection.inverse(x)

    def certified_decode(
        self, z: Any, context: Any = None, *, tolerance: float | None = None, on_error: OnError = "raise"
    ) -> tuple[Any, Certificate]:
        """What the bijection takes for latents, with the evidence, see
        :meth:`preimage.Bijection.certified_inverse`.
        """
        context = self._embed(context, as_tuple(z)[0].shape[0])
        wanted = applicable(self.bijection, context)
        return self.bijection.certified_inverse(_plain(z), wanted, tolerance=tolerance, on_error=on_error)

    def rsample_and_log_prob(
        self, count: int, context: Any = None, *, generator: torch.Generator | None = None
    ) -> tuple[Any, Tensor]:
        """Differentiable samples and their log-densities, in one pass of the inverse.

        Args:
            count: number of samples, for each row of the context if there is one.
            context: conditioning values ``(B, ...)``.
            generator: source of randomness; the global one by default.

        Returns:
            Samples ``(count, *event)`` and log-densities ``(count,)``; with a context ``(count, B, *event)``
            and ``(count, B)``.

        Raises:
            NotInvertibleError: draws of the base are not differentiable.
        """
        if not self.base.reparametrised:
            raise NotInvertibleError(
                f"Flow.rsample_and_log_prob: draws of {type(self.base).__name__} are not differentiable in"
                " its weights; use sample and log_prob, or a base without a mixture"
            )
        return self._draw(self.base, count, context, generator)

    def rsample(self, count: int, context: Any = None, *, generator: torch.Generator | None = None) -> Any:
        """Differentiable samples, see :meth:`rsample_and_log_prob`."""
        return self.rsample_and_log_prob(count, context, generator=generator)[0]

    @torch.no_grad()
    def sample_and_log_prob(
        self, count: int, context: Any = None, *, generator: torch.Generator | None = None
    ) -> tuple[Any, Tensor]:
        """Samples and their log-densities in one pass, without gradients."""
        return self._draw(self.base, count, context, generator)

    def sample(self, count: int, context: Any = None, *, generator: torch.Generator | None = None) -> Any:
        """Samples without gradients.

        Args:
            count: number of samples, for each row of the context if there is one.
            context: conditioning values ``(B, ...)``.
            generator: source of randomness; the global one by default.

        Returns:
            Tensor ``(count, *event)``; with a context ``(count, B, *event)``.
        """
        return self.sample_and_log_prob(count, context, generator=generator)[0]

    def tempered(self, temperature: float) -> Flow:
        """The flow with its base tempered, a distribution of its own; parameters are shared.

        Reference: Kingma, Dhariwal (2018), Glow, section 6, https://arxiv.org/abs/1807.03039

        Args:
            temperature: positive factor on the deviations of the latents; 0.7 gives cleaner pictures.
        """
        return Flow(self.bijection, self.base.tempered(temperature), self.embedding, self.surjection)

    def truncated(self, bound: float) -> Flow:
        """The flow with latents within ``bound`` standard deviations; parameters are shared."""
        return Flow(self.bijection, self.base.truncated(bound), self.embedding, self.surjection)

    def bits_per_dim(self, x: Any, context: Any = None) -> Tensor:
        r"""Bits per number of the data, :math:`-\log_2 p(x) / D`, ``(N,)``.

        With :class:`~preimage.layers.Dequantisation` in the flow these are bits of the discrete data, bounded
        from above. Without, data on a grid of width w (256 grey levels in [0, 1]: w = 1/256) need
        :math:`-\log_2 w` more.
        """
        numbers = sum(part[0].numel() for part in as_tuple(x))
        return -self.log_prob(x, context) / (math.log(2) * numbers)

    def fit(
        self,
        data: Any,
        *,
        context: Any = None,
        validation: Any = None,
        listeners: Sequence[Listener] = (),
        **settings: Any,
    ) -> Self:
        """Maximise the mean log-density of the data; see :func:`preimage.training.fit`.

        Args:
            data: tensor or array ``(N, *event)``, data frame, or ``Dataset`` of examples or of tuples
                (example, context).
            context: tensor or array ``(N, ...)``.
            validation: data to validate with, or a tuple of data and context; a share of the rows by default.
            listeners: functions that get the record of every epoch.
            settings: see :class:`preimage.training.FitSettings`, such as ``epochs=50``.

        Returns:
            The flow itself, with the weights of the best validation loss and the run in ``history``.

        Raises:
            NotConvergedError: the loss diverged again and again.
        """
        self.history = fit(
            self,
            self._losses,
            data,
            FitSettings(**settings),
            context=context,
            validation=validation,
            listeners=listeners,
            units=self._units,
        )
        return self

    def distribution(self, context: Any = None) -> FlowDistribution:
        """The flow as a ``torch.distributions.Distribution``; batch shape ``(B,)`` with a context."""
        return FlowDistribution(self, context)

    def push_to_hub(self, repository: str, **options: Any) -> str:
        """Upload the flow to the Hugging Face Hub, see :func:`preimage.flows.push_to_hub`."""
        from preimage.flows.hub import push_to_hub

        return push_to_hub(self, repository, **options)

    def _losses(self, flow: nn.Module, batch: Batch) -> Tensor:
        """Minus the log-density ``(B,)``; whole numbers are taken for real ones where nothing dequantises."""
        x, *context = batch
        if self.surjection is None and not x.is_floating_point():
            x = x.to(next(self.parameters()).dtype)
        return -cast(Tensor, flow(x, *context))

    def _units(self, loss: float) -> Record:
        return {"bits_per_dim": loss / (math.log(2) * self.base.dimensions())}

    def _draw(
        self, base: Base, count: int, context: Any, generator: torch.Generator | None
    ) -> tuple[Any, Tensor]:
        rows, lead = sample_rows(count, context)
        context = self._embed(repeated(context, count), rows)
        z = base.draw(rows, applicable(base, context), generator)
        x, log_det = self.bijection.inverse_and_log_det(z, applicable(self.bijection, context))
        x, weight = (
            (x, 0.0) if self.surjection is None else self.surjection.inverse_and_log_weight(x, generator)
        )
        log_prob = base.log_prob(z, applicable(base, context)) - log_det - weight
        return unpack(part.reshape(*lead, *part.shape[1:]) for part in as_tuple(x)), log_prob.reshape(lead)

    def _embed(self, context: Any, rows: int) -> Any:
        wanted = self.bijection.context_domain or self.base.context_domain
        if context is None or wanted is None:
            checks.check_context("Flow", context, None if self.embedding is None else wanted, rows)
        return context if self.embedding is None or context is None else self.embedding(context)


def applicable(part: Bijection | Base, context: Context) -> Context:
    """The context, for parts of a flow that take one."""
    return None if part.context_domain is None else context


def _lifted(surjection: Surjection | None, x: Any) -> tuple[Any, Tensor | float]:
    return (x, 0.0) if surjection is None else surjection.forward_and_log_weight(x)


def _plain(z: Any) -> Any:
    """A named tuple as the plain tuple that bijections take."""
    return tuple(z) if isinstance(z, tuple) else z
