"""One normal distribution of latents for every class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.errors import ShapeError
from preimage.flows.bases.class_conditional.contract import ClassConditional, check_classes
from preimage.flows.bases.class_conditional.densities import diagonal_log_prob, unit_log_prob
from preimage.flows.bases.location_scale import LocationScale
from preimage.flows.bases.standard import StandardNormal


class ClassConditionalNormal(LocationScale, ClassConditional):
    r"""Normal latents around the mean of their class, means and spreads learnt.

    .. math:: z \mid c \sim \mathcal N(\mu_c, \operatorname{diag} \sigma_c^2)

    The context is the class itself: integer labels ``(N,)``.

    Reference: Izmailov, Kirichenko, Finzi, Wilson (2020), Semi-supervised learning with normalizing flows,
    https://arxiv.org/abs/1912.13025

    Args:
        event_shape: sizes of one latent.
        classes: number of classes K, two or more.
        spread: standard deviation of the class means at the start, positive.
        means: start of the means ``(K, *event)``, in place of random ones.

    Raises:
        ValueError: fewer than two classes.
        ShapeError: the means have another shape.
        ContextError: the context does not hold integer labels of known classes.

    Cost: O(numel(z)); :meth:`class_log_prob` three matrix products, O(numel(z) K).

    Example:
        >>> import torch
        >>> base = ClassConditionalNormal(4, classes=3)
        >>> base.log_prob(torch.zeros(2, 4), torch.tensor([0, 2])).shape
        torch.Size([2])
    """

    def __init__(
        self, *event_shape: int, classes: int, spread: float = 1.0, means: Tensor | None = None
    ) -> None:
        super().__init__(event_shape, StandardNormal())
        check_classes(type(self).__name__, classes)
        self.classes = classes
        start = spread * torch.randn(classes, *event_shape) if means is None else means
        self.location = nn.Parameter(checked_means(self, start).clone())
        self.log_scale = nn.Parameter(torch.zeros_like(start))

    def location_and_log_scale(self, context: Context) -> tuple[Tensor, Tensor]:
        """The rows of the tables that the labels name."""
        labels = self.labels(context)
        return self.location[labels], self.log_scale[labels]

    def class_log_prob(self, z: Tensor) -> Tensor:
        """The log-density of every row under every class, ``(N, K)``."""
        return diagonal_log_prob(z, self.location, self.log_scale)

    def class_centres(self) -> Tensor:
        """The means ``(K, *event)``."""
        return self.location


class _UnitSpread(LocationScale, ClassConditional):
    """Normal latents around the mean of their class, with spreads 1."""

    location: Tensor

    def __init__(self, event_shape: tuple[int, ...], classes: int) -> None:
        super().__init__(event_shape, StandardNormal())
        check_classes(type(self).__name__, classes)
        self.classes = classes

    def location_and_log_scale(self, context: Context) -> tuple[Tensor, Tensor]:
        """The means that the labels name, and zero."""
        location = self.location[self.labels(context)]
        return location, location.new_zeros(())

    def class_log_prob(self, z: Tensor) -> Tensor:
        """The log-density of every row under every class, ``(N, K)``."""
        return unit_log_prob(z, self.location)

    def class_centres(self) -> Tensor:
        """The means ``(K, *event)``."""
        return self.location


class UnitClassConditionalNormal(_UnitSpread):
    r"""Normal latents with spreads 1 around the learnt mean of their class.

    .. math:: z \mid c \sim \mathcal N(\mu_c, I), \qquad
        \log\frac{p(z \mid a)}{p(z \mid b)} = (\mu_a - \mu_b)^\top z - \tfrac12(\|\mu_a\|^2 - \|\mu_b\|^2)

    so that the evidence for a class is linear in the latent.

    Reference: Ardizzone, Mackowiak, Rother, Köthe (2020), Training normalizing flows with the information
    bottleneck for competitive generative classification, https://arxiv.org/abs/2001.06448

    Args:
        event_shape: sizes of one latent.
        classes: number of classes K, two or more.
        means: start of the means ``(K, *event)``; zeros by default.

    Raises:
        ValueError: fewer than two classes.
        ShapeError: the means have another shape.
        ContextError: the context does not hold integer labels of known classes.

    Cost: O(numel(z)); :meth:`class_log_prob` one matrix product, O(numel(z) K).

    Example:
        >>> import torch
        >>> UnitClassConditionalNormal(2, classes=2).class_log_prob(torch.zeros(1, 2)).detach()
        tensor([[-1.8379, -1.8379]])
    """

    def __init__(self, *event_shape: int, classes: int, means: Tensor | None = None) -> None:
        super().__init__(event_shape, classes)
        start = torch.zeros(classes, *event_shape) if means is None else means
        self.location = nn.Parameter(checked_means(self, start).clone())


class FixedClassConditionalNormal(_UnitSpread):
    r"""Normal latents with spreads 1 around means that stay where they are, :math:`\mathcal N(\mu_c, I)`.

    Flow-GMM: the network has to bring the classes to their places. Random means are those of the paper;
    equidistant ones say how well two classes can be told apart, :math:`\Phi(d / 2)` of the rows at best.

    Reference: Izmailov, Kirichenko, Finzi, Wilson (2020), Semi-supervised learning with normalizing flows,
    section 3, https://arxiv.org/abs/1912.13025

    Args:
        means: tensor ``(K, *event)``, such as ``equidistant_means(10, 784, distance=8.0)`` or
            ``random_means(10, 784)``.

    Raises:
        ValueError: fewer than two classes.
        ContextError: the context does not hold integer labels of known classes.

    Cost: as :class:`UnitClassConditionalNormal`; no parameters.

    Example:
        >>> import torch
        >>> base = FixedClassConditionalNormal(torch.tensor([[-2.0], [2.0]]))
        >>> base.class_log_prob(torch.tensor([[2.0]]))
        tensor([[-8.9189, -0.9189]])
    """

    def __init__(self, means: Tensor) -> None:
        super().__init__(tuple(means.shape[1:]), means.shape[0] if means.dim() else 0)
        self.register_buffer("location", means.detach().clone())


def checked_means(base: ClassConditionalNormal | UnitClassConditionalNormal, means: Tensor) -> Tensor:
    """The means of a class-conditional base, refused where their shape does not fit."""
    wanted = (base.classes, *base.event_shape)
    if tuple(means.shape) != wanted:
        raise ShapeError(
            f"{type(base).__name__}: means have shape {tuple(means.shape)}, wanted {wanted}: one a class"
        )
    return means.detach()
