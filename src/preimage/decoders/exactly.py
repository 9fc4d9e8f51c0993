"""Exact answers where there are some, and others where there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import torch
from torch import Tensor

from preimage.certificate import Certificate

EXACT = "exact: every step back from this tap keeps everything, so nothing was painted"

Answer = tuple[Tensor, Certificate]


def exact_or(other: Callable[[Tensor], Answer], y: Tensor, chain: Answer | None, tolerance: float) -> Answer:
    """The answers of an exact chain, and those of another method for the samples at which the chain failed.

    Args:
        other: from features ``(K, *tap)`` to inputs and their certificate.
        y: features ``(N, *tap)``.
        chain: exact answers to all of them; None where there is no such chain.
        tolerance: relative residual up to which an answer counts as exact.

    Returns:
        Inputs and their certificate, ``(N,)``.
    """
    if chain is None:
        return other(y)
    failed = (~(chain[1].residual <= tolerance)).nonzero()[:, 0]
    if not len(failed):
        return chain
    if len(failed) == len(y):
        return other(y)
    x, certificate = other(y[failed])
    message = f"{chain[1].message}; samples {failed.tolist()}: {certificate.message}"
    rows = {
        field.name: _put(getattr(chain[1], field.name), failed, getattr(certificate, field.name))
        for field in fields(Certificate)
        if field.name != "message"
    }
    return _put(chain[0], failed, x), replace(chain[1], **rows, message=message)


def unsaturated(y: Tensor) -> Tensor:
    """Count the numbers of every sample that are at neither end of its range, ``(N,)``: clamps tell less."""
    rows = y.flatten(1)
    low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
    ends = (rows == low).sum(1), (rows == high).sum(1)
    return rows.shape[1] - sum((n * (n > 1) for n in ends), torch.zeros_like(ends[0]))


def _put(all_: Tensor, rows: Tensor, some: Tensor) -> Tensor:
    """The first tensor with the given rows taken from the second."""
    kept = torch.promote_types(all_.dtype, some.dtype)
    return all_.to(kept).index_copy(0, rows, some.to(kept))
