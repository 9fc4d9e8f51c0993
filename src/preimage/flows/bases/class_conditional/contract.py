"""The contract of a class-conditional base: one density of latents for every class."""

from __future__ import annotations

import abc
from typing import Any

import torch
from torch import Tensor

from preimage.checks import Context
from preimage.domains import Reals
from preimage.errors import ContextError
from preimage.flows.bases.base import Base
from preimage.functional.visible import values_are_visible


class ClassConditional(Base, abc.ABC):
    r"""Latents :math:`z \mid c` of K classes; the context is the class itself, integer labels ``(N,)``.

    A subclass writes :meth:`class_log_prob`, :meth:`class_centres` and ``draw``, and sets ``classes``.

    Example:
        >>> import torch
        >>> from preimage.flows import UnitClassConditionalNormal
        >>> base = UnitClassConditionalNormal(4, classes=3)
        >>> base.class_log_prob(torch.zeros(2, 4)).shape, base.class_centres().shape
        (torch.Size([2, 3]), torch.Size([3, 4]))
    """

    context_domain = Reals(...)
    classes: int

    @abc.abstractmethod
    def class_log_prob(self, z: Any) -> Tensor:
        """The log-density of every row under every class, ``(N, K)``, in nats."""

    @abc.abstractmethod
    def class_centres(self) -> Any:
        """One latent for every class, ``(K, *event)``: its mean, or the mean of its heaviest component."""

    def log_prob(self, z: Any, context: Context = None) -> Tensor:
        """The log-density of every row under its own class ``(N,)``."""
        labels = self.labels(context)
        return self.class_log_prob(z).gather(1, labels[:, None])[:, 0]

    def labels(self, context: Any) -> Tensor:
        """The context as labels ``(N,)``, refused where they are none or name an unknown class."""
        if not isinstance(context, Tensor) or context.dim() != 1 or not _holds_whole_numbers(context):
            raise ContextError(
                f"{type(self).__name__}: context is {_described(context)}, wanted integer labels (N,);"
                " write context=labels.long()"
            )
        if values_are_visible() and len(context) and not _within(context, self.classes):
            raise ContextError(
                f"{type(self).__name__}: labels run from {int(context.min())} to {int(context.max())}, wanted"
                f" 0 to {self.classes - 1}; number the classes first"
            )
        return context.long()


def check_classes(where: str, classes: int) -> None:
    """Refuse fewer than two classes."""
    if not isinstance(classes, int) or classes < 2:
        raise ValueError(f"{where}: classes is {classes}, wanted two or more")


def _holds_whole_numbers(labels: Tensor) -> bool:
    return not labels.is_floating_point() and not labels.is_complex() and labels.dtype != torch.bool


def _within(labels: Tensor, classes: int) -> bool:
    return bool((labels >= 0).all() & (labels < classes).all())


def _described(labels: object) -> str:
    if isinstance(labels, Tensor):
        return f"{tuple(labels.shape)} of {labels.dtype}"
    return type(labels).__name__
