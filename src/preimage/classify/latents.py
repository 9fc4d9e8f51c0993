"""Data to latents, before any class comes in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from preimage.checks import reference_tensor
from preimage.flows import Flow

if TYPE_CHECKING:
    from preimage.classify.classifier import GenerativeClassifier


def latents(flow: Flow, x: Any, change: Callable[[Any], Any] | None = None) -> tuple[Any, Tensor]:
    """The latents of data and the logarithm of the change of volume, dequantisation included.

    Args:
        flow: whose base wants labels, which are not known here.
        x: data ``(N, *event)``; whole numbers are taken for real ones where the flow does not dequantise.
        change: applied to what the bijection takes, such as noise.

    Returns:
        Latents, and ``(N,)`` in nats.
    """
    x, weight = _lifted(flow, x)
    z, log_det = flow.bijection.forward_and_log_det(x if change is None else change(x))
    return flow.base.named(z), log_det + weight


def direct_class_log_prob(classifier: GenerativeClassifier, x: Any) -> Tensor:
    """The log-density under every class ``(N, K)`` of what the bijection takes: nothing is dequantised."""
    z, log_det = classifier.flow.bijection.forward_and_log_det(x)
    return classifier.base.class_log_prob(classifier.flow.base.named(z)) + log_det[:, None]


def middle(flow: Flow, x: Any) -> Any:
    """What the bijection takes for data, the same at every call: the middle of a bin where one is drawn."""
    if flow.surjection is None:
        return _lifted(flow, x)[0]
    return _like_flow(flow, flow.surjection.middle(x))


def _lifted(flow: Flow, x: Any) -> tuple[Any, Tensor | float]:
    if flow.surjection is not None:
        lifted, weight = flow.surjection.forward_and_log_weight(x)
        return _like_flow(flow, lifted), weight
    return (x if not isinstance(x, Tensor) or x.is_floating_point() else _like_flow(flow, x)), 0.0


def _like_flow(flow: Flow, x: Any) -> Any:
    """In the dtype of the weights: whole numbers say nothing about the precision that is wanted."""
    reference = reference_tensor(flow)
    dtype = torch.get_default_dtype() if reference is None else reference.dtype
    return x.to(dtype) if isinstance(x, Tensor) else x
