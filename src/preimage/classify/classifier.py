"""A flow with one latent density for every class, as a classifier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from preimage.certificate import OnError
from preimage.checks import as_tuple
from preimage.classify.evidence import Evidence
from preimage.classify.latents import direct_class_log_prob, latents, middle
from preimage.classify.losses import ClassAndDensityLoss, ClassifierLoss
from preimage.classify.parts import in_parts
from preimage.classify.priors import log_priors
from preimage.classify.prototypes.class_means import inverted_class_means
from preimage.classify.prototypes.prototypes import Prototypes
from preimage.classify.training import Trained
from preimage.errors import ContextError
from preimage.flows import ClassConditional, Flow
from preimage.training import FitSettings, History, fit
from preimage.training.history import Listener


class GenerativeClassifier(nn.Module):
    r"""Bayes' rule with a density for every class, all by one invertible network.

    .. math:: \log p(x \mid c) = \log p(f(x) \mid c) + \log\left|\det \frac{\partial f}{\partial x}\right|,
        \qquad p(c \mid x) \propto p(c)\, p(x \mid c)^{1/t}

    The temperature :math:`t = e^\tau` is learnt where the loss uses it: differences of densities of many
    numbers are far larger than what is known about a class.

    Reference: Ardizzone, Mackowiak, Rother, Köthe (2020), Training normalizing flows with the information
    bottleneck for competitive generative classification, https://arxiv.org/abs/2001.06448

    Args:
        flow: bijection and a class-conditional base, such as
            :class:`~preimage.flows.ClassConditionalNormal`; the bijection takes no context.
        classes: number of classes K, or their names.
        priors: probabilities of the classes ``(K,)``, equal by default; see :func:`class_frequencies`.
        temperature: t at the start, positive.
        loss: what :meth:`fit` minimises; :class:`ClassAndDensityLoss` by default.

    Raises:
        ContextError: the base has no classes, another number of them, or the bijection wants a context.
        ValueError: priors or temperature are out of range.

    Cost: one run of the bijection for all classes together, and the densities of the base.

    Example:
        >>> import torch
        >>> from preimage import flows
        >>> torch.manual_seed(0) and None
        >>> base = flows.UnitClassConditionalNormal(2, classes=2, means=torch.tensor([[-2.0, 0], [2, 0]]))
        >>> model = GenerativeClassifier(flows.Flow(flows.realnvp(2).bijection, base), classes=2)
        >>> model.predict(torch.tensor([[-9.0, 0.0], [9.0, 0.0]])).shape
        torch.Size([2])
    """

    def __init__(
        self,
        flow: Flow,
        classes: int | Sequence[str],
        priors: Any = None,
        temperature: float = 1.0,
        loss: ClassifierLoss | None = None,
    ) -> None:
        super().__init__()
        self.class_names = _names(classes)
        _check_flow(flow, len(self.class_names))
        if not 0 < temperature < math.inf:
            raise ValueError(f"GenerativeClassifier: temperature is {temperature}, wanted a positive number")
        self.flow = flow
        self.register_buffer("log_prior", log_priors(priors, len(self.class_names)))
        self.log_prior: Tensor
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        self.loss = ClassAndDensityLoss() if loss is None else loss
        self.history = History()

    @property
    def classes(self) -> int:
        """The number of classes K."""
        return len(self.class_names)

    @property
    def base(self) -> ClassConditional:
        """The class-conditional base of the flow."""
        return cast(ClassConditional, self.flow.base)

    @property
    def temperature(self) -> Tensor:
        """t, a positive number ``()``."""
        return self.log_temperature.exp()

    def forward(self, x: Any) -> Tensor:
        """The logits ``(N, K)``, as :meth:`logits`."""
        return self.logits(x)

    def class_log_prob(self, x: Any) -> Tensor:
        r"""The log-density of every row under every class, :math:`\log p(x \mid c)` in nats, ``(N, K)``.

        Args:
            x: data ``(N, *event)``.
        """
        z, log_det = latents(self.flow, x)
        return self.base.class_log_prob(z) + log_det[:, None]

    def class_scores(self, x: Any) -> Tensor:
        """:meth:`class_log_prob` up to a constant of every row, ``(N, K)``, the same at every call.

        Nothing is drawn: where the flow dequantises, these are the densities at the middle of every bin.
        """
        return direct_class_log_prob(self, middle(self.flow, x))

    def log_prob(self, x: Any, c: Any = None) -> Tensor:
        r"""The log-density of every row ``(N,)``: :math:`\log p(x \mid c)`, or the marginal over the priors.

        Args:
            x: data ``(N, *event)``.
            c: classes, whole numbers ``(N,)``, or one for all rows; None for
                :math:`\log \sum_c p(c)\, p(x \mid c)`.
        """
        if c is None:
            return (self.class_log_prob(x) + self.log_prior).logsumexp(dim=1)
        labels = torch.as_tensor(c, device=self.log_prior.device)
        return self.flow.log_prob(x, labels.expand(len(as_tuple(x)[0])) if labels.dim() == 0 else labels)

    def logits(self, x: Any) -> Tensor:
        r""":math:`\log p(x \mid c) / t + \log p(c)`, ``(N, K)``; differentiable."""
        return self.class_log_prob(x) / self.temperature + self.log_prior

    def predict_proba(self, x: Any) -> Tensor:
        r"""The probability of every class, :math:`p(c \mid x)`, ``(N, K)``; in parts, without gradients.

        Where the flow dequantises, of the middle of every bin: the same rows get the same answer.
        """
        return in_parts(self._steady_logits, x).softmax(dim=1)

    def predict(self, x: Any) -> Tensor:
        """The most probable class of every row, whole numbers ``(N,)``, as :meth:`predict_proba`."""
        return in_parts(self._steady_logits, x).argmax(dim=1)

    def evidence(self, x: Any, labels: Tensor) -> Evidence:
        """What the losses are made of, for rows and their labels ``(N,)``, -1 where unknown."""
        return self._evidence(self.class_log_prob(x), labels)

    def losses(self, x: Any, labels: Tensor) -> Tensor:
        """The losses ``(N,)`` of rows while training, with the noise of the loss."""
        z, log_det = latents(self.flow, x, self.loss.disturbed if self.training else None)
        return self.loss.rows(self._evidence(self.base.class_log_prob(z) + log_det[:, None], labels))

    def fit(
        self,
        x: Any,
        labels: Any = None,
        *,
        validation: Any = None,
        listeners: Sequence[Listener] = (),
        **settings: Any,
    ) -> Self:
        """Minimise the loss over rows with labels; see :func:`preimage.training.fit`.

        Args:
            x: tensor or array ``(N, *event)``, or a ``Dataset`` of tuples (example, label).
            labels: classes, whole numbers ``(N,)``; -1 for rows without one. None with a ``Dataset``.
            validation: a tuple of data and labels to validate with; a share of the rows by default.
            listeners: functions that get the record of every epoch.
            settings: see :class:`preimage.training.FitSettings`, such as ``epochs=50``.

        Returns:
            The classifier itself, with the weights of the best validation loss and the run in ``history``.

        Raises:
            NotConvergedError: the loss diverged again and again.
        """
        trained = Trained(self)
        self.history = fit(
            trained,
            trained.losses_of,
            x,
            FitSettings(**settings),
            context=labels,
            validation=validation,
            listeners=listeners,
        )
        return self

    @torch.no_grad()
    def sample(self, count: int, label: Any = None, *, generator: torch.Generator | None = None) -> Any:
        """Draws of one class, or of all by their priors.

        Args:
            count: number of draws.
            label: a class; None to draw the classes themselves from the priors.
            generator: source of randomness; the global one by default.

        Returns:
            Tensor ``(count, *event)``.
        """
        if label is None:
            labels = torch.multinomial(self.log_prior.exp(), count, replacement=True, generator=generator)
            return self.flow.sample(1, context=labels, generator=generator)[0]
        one = torch.as_tensor(label, device=self.log_prior.device).reshape(1)
        return self.flow.sample(count, context=one, generator=generator)[:, 0]

    def prototypes(self, *, tolerance: float | None = 1e-4, on_error: OnError = "warn") -> Prototypes:
        r"""The inverse of the mean of every class, :math:`x_c = f^{-1}(\mu_c)`, with the re-encoding error.

        Args:
            tolerance: largest relative difference of :math:`f(x_c)` and the mean.
            on_error: what happens where it is exceeded: ``"raise"``, ``"warn"`` or ``"nan"``.
        """
        return inverted_class_means(self, tolerance=tolerance, on_error=on_error)

    def _steady_logits(self, x: Any) -> Tensor:
        return self.class_scores(x) / self.temperature + self.log_prior

    def _evidence(self, class_log_prob: Tensor, labels: Tensor) -> Evidence:
        return Evidence(
            class_log_prob, self.log_prior, self.temperature, labels.long(), self.base.dimensions()
        )


def _names(classes: int | Sequence[str]) -> tuple[str, ...]:
    return tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(map(str, classes))


def _check_flow(flow: Flow, classes: int) -> None:
    if not isinstance(flow.base, ClassConditional):
        raise ContextError(
            f"GenerativeClassifier: the base of the flow is {type(flow.base).__name__}, wanted one with a"
            " density for every class; write Flow(bijection, ClassConditionalNormal(..., classes=K))"
        )
    if flow.base.classes != classes:
        raise ContextError(
            f"GenerativeClassifier: the base has {flow.base.classes} classes, wanted {classes}; write"
            f" classes={flow.base.classes}"
        )
    if flow.bijection.context_domain is not None:
        raise ContextError(
            "GenerativeClassifier: the bijection wants a context, wanted one without: all classes share it"
        )
