"""One normal distribution of latents for every class."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from preimage.checks import Context
from preimage.domains import Reals
from preimage.errors import ContextError
from preimage.flows.bases.location_scale import LocationScale
from preimage.flows.bases.standard import StandardNormal


class ClassConditionalNormal(LocationScale):
    r"""Normal latents around the mean of their class.

    .. math:: z \mid c \sim \mathcal N(\mu_c, \operatorname{diag} \sigma_c^2)

    The context is the class itself: integer labels ``(N,)``.

    Reference: Izmailov, Kirichenko, Finzi, Wilson (2020), Semi-supervised learning with normalizing flows,
    https://arxiv.org/abs/1912.13025

    Args:
        event_shape: sizes of one latent.
        classes: number of classes, two or more.
        spread: standard deviation of the class means at the start, positive.

    Raises:
        ValueError: fewer than two classes.
        ContextError: the context does not hold integer labels of known classes.

    Cost: O(numel(z)); :meth:`class_log_prob` takes that times the number of classes.

    Example:
        >>> import torch
        >>> base = ClassConditionalNormal(4, classes=3)
        >>> base.log_prob(torch.zeros(2, 4), torch.tensor([0, 2])).shape
        torch.Size([2])
    """

    context_domain = Reals(...)

    def __init__(self, *event_shape: int, classes: int, spread: float = 1.0) -> None:
        super().__init__(event_shape, StandardNormal())
        if classes < 2:
            raise ValueError(f"ClassConditionalNormal: classes is {classes}, wanted two or more")
        self.classes = classes
        self.location = nn.Parameter(spread * torch.randn(classes, *event_shape))
        self.log_scale = nn.Parameter(torch.zeros(classes, *event_shape))

    def location_and_log_scale(self, context: Context) -> tuple[Tensor, Tensor]:
        """The rows of the tables that the labels name."""
        labels = self._labels(context)
        return self.location[labels], self.log_scale[labels]

    def class_log_prob(self, z: Tensor) -> Tensor:
        """The log-density of every row under every class, ``(N, K)``."""
        rows = torch.arange(self.classes, device=z.device)[:, None].expand(-1, z.shape[0])  # (K, N)
        every = [self.log_prob(z, labels) for labels in rows]
        return torch.stack(every, dim=1)

    def _labels(self, context: Context) -> Tensor:
        labels = cast(Tensor, context)
        if not isinstance(labels, Tensor) or labels.dim() != 1 or labels.is_floating_point():
            raise ContextError(
                f"ClassConditionalNormal: context is {_described(labels)}, wanted integer labels (N,);"
                " write context=labels.long()"
            )
        return labels


def _described(labels: object) -> str:
    if isinstance(labels, Tensor):
        return f"{tuple(labels.shape)} of {labels.dtype}"
    return type(labels).__name__
