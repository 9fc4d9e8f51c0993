"""Mixtures of normal distributions for classes."""

from __future__ import annotations

import abc

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.flows.bases.class_conditional.contract import ClassConditional, check_classes
from preimage.flows.bases.class_conditional.densities import diagonal_log_prob


class ClassMixture(ClassConditional, abc.ABC):
    r"""Every class is a mixture, :math:`p(z \mid c) = \sum_m w_{cm}\, \mathcal N(z; \mu_{cm}, \sigma_{cm})`.

    A subclass writes :meth:`parts`. Draws are not differentiable in the weights.

    Args:
        event_shape: sizes of one latent.
        classes: number of classes K, two or more.
        components: number of components of a class M, one or more.

    Raises:
        ValueError: a number is out of range.

    Example:
        >>> import torch
        >>> from preimage.flows import ClassConditionalMixture
        >>> isinstance(ClassConditionalMixture(2, classes=2, components=3), ClassMixture)
        True
    """

    def __init__(self, event_shape: tuple[int, ...], classes: int, components: int) -> None:
        super().__init__(event_shape)
        check_classes(type(self).__name__, classes)
        if not isinstance(components, int) or components < 1:
            raise ValueError(f"{type(self).__name__}: components is {components}, wanted one or more")
        self.event_shape, self.classes, self.components = event_shape, classes, components

    @abc.abstractmethod
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Means and log-spreads ``(K or 1, M, *event)``, and log-weights ``(K, M)``."""

    def class_log_prob(self, z: Tensor) -> Tensor:
        """The log-density of every row under every class, ``(N, K)``."""
        means, log_scales, log_weights = self.parts()
        each = diagonal_log_prob(z, means.flatten(0, 1), log_scales.flatten(0, 1))
        return (each.unflatten(1, means.shape[:2]) + log_weights).logsumexp(dim=2)

    def draw(self, rows: int, context: Context = None, generator: torch.Generator | None = None) -> Tensor:
        """A component of every row's class, then a normal draw of it ``(N, *event)``."""
        labels = self.labels(context)
        means, log_scales, log_weights = self.parts()
        chosen = torch.multinomial(log_weights.detach()[labels].exp(), 1, generator=generator)[:, 0]
        row = labels if len(means) > 1 else torch.zeros_like(labels)
        location, log_scale = means[row, chosen], log_scales[row, chosen]
        return location + log_scale.exp() * torch.empty_like(location).normal_(generator=generator)

    def class_centres(self) -> Tensor:
        """The mean of the heaviest component of every class ``(K, *event)``."""
        means, _, log_weights = self.parts()
        every = torch.arange(self.classes, device=means.device)
        return means.expand(self.classes, *means.shape[1:])[every, log_weights.argmax(dim=1)]

    @property
    def reparametrised(self) -> bool:
        """No: the choice of a component is not differentiable."""
        return False


class ClassConditionalMixture(ClassMixture):
    r"""A mixture of its own for every class, all of it learnt.

    .. math:: p(z \mid c) = \sum_{m=1}^M w_{cm}\, \mathcal N(z; \mu_{cm}, \operatorname{diag} \sigma_{cm}^2)

    Reference: Hastie, Tibshirani (1996), Discriminant analysis by Gaussian mixtures,
    https://doi.org/10.1111/j.2517-6161.1996.tb02073.x

    Args:
        event_shape: sizes of one latent.
        classes: number of classes K, two or more.
        components: number of components M of a class.
        spread: standard deviation of the means at the start.

    Raises:
        ValueError: a number is out of range.
        ContextError: the context does not hold integer labels of known classes.

    Cost: O(numel(z) K M), as matrix products.

    Example:
        >>> import torch
        >>> ClassConditionalMixture(2, classes=3, components=4).class_log_prob(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(self, *event_shape: int, classes: int, components: int, spread: float = 1.0) -> None:
        super().__init__(event_shape, classes, components)
        self.location = nn.Parameter(spread * torch.randn(classes, components, *event_shape))
        self.log_scale = nn.Parameter(torch.zeros(classes, components, *event_shape))
        self.weight_logits = nn.Parameter(torch.zeros(classes, components))

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """The parameters, the weights normalised."""
        return self.location, self.log_scale, self.weight_logits.log_softmax(dim=1)


class ClassWeightedMixture(ClassMixture):
    r"""Components shared by all classes, which differ in their weights alone.

    .. math:: p(z \mid c) = \sum_{m=1}^M w_{cm}\, \mathcal N(z; \mu_m, \operatorname{diag} \sigma_m^2)

    What a component stands for can be read off one picture, and which class it speaks for off one number.

    Reference: Hastie, Tibshirani (1996), Discriminant analysis by Gaussian mixtures, section 5,
    https://doi.org/10.1111/j.2517-6161.1996.tb02073.x

    Args:
        event_shape: sizes of one latent.
        classes: number of classes K, two or more.
        components: number of shared components M.
        spread: standard deviation of means and log-spreads at the start.

    Raises:
        ValueError: a number is out of range.
        ContextError: the context does not hold integer labels of known classes.

    Cost: O(numel(z) M), as matrix products.

    Example:
        >>> import torch
        >>> base = ClassWeightedMixture(63, classes=2, components=8)
        >>> base.class_log_prob(torch.zeros(5, 63)).shape
        torch.Size([5, 2])
    """

    def __init__(self, *event_shape: int, classes: int, components: int, spread: float = 0.1) -> None:
        super().__init__(event_shape, classes, components)
        self.location = nn.Parameter(spread * torch.randn(components, *event_shape))
        self.log_scale = nn.Parameter(spread * torch.randn(components, *event_shape))
        self.weight_logits = nn.Parameter(torch.zeros(classes, components))

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """The parameters, the weights normalised."""
        return self.location[None], self.log_scale[None], self.weight_logits.log_softmax(dim=1)

    def class_centres(self) -> Tensor:
        """The mean of the component that speaks most for every class, ``(K, *event)``."""
        return self.location[self.class_probabilities().argmax(dim=1)]

    def class_probabilities(self) -> Tensor:
        r"""How much every component speaks for a class, :math:`p(c \mid m)` at equal priors, ``(K, M)``."""
        shares = self.weight_logits.detach().softmax(dim=1)
        return shares / shares.sum(dim=0)
