"""Argument checks for methods that return values without a log_det."""

from __future__ import annotations

from typing import Any

from preimage import checks
from preimage.bijection import Bijection
from preimage.checks import Context


def check_arguments(
    layer: Bijection, method: str, word: str, value: Any, context: Context
) -> tuple[Any, Any]:
    """The argument and context of a layer, checked as for ``forward_and_log_det``.

    Args:
        layer: the layer.
        method: its method, for messages.
        word: ``"x"`` for what forward takes, ``"y"`` for what inverse takes.
        value: the argument.
        context: the context.

    Returns:
        Both, in float32 where autocast had made them shorter.
    """
    where = f"{type(layer).__name__}.{method}"
    value = checks.promote_under_autocast(value)
    domains = layer.domain if word == "x" else layer.codomain
    checks.check_tensors(where, word, value, domains, checks.reference_tensor(layer))
    checks.check_context(where, context, layer.context_domain, checks.as_tuple(value)[0].shape[0])
    checks.check_values(where, word, value, domains)
    return value, checks.promote_under_autocast(context)
