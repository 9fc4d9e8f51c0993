"""Exact answers where there are some, and others where there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import torch
from torch import Tensor

from preimage.certificate import Certificate

EXACT = "exact: every step back from this tap keeps everything, so nothing was painted"

Answer = tuple[Tensor, Certificate]
"""Inputs ``(N, *in)`` and their evidence."""


def exact_or(
    other: Callable[[Tensor], Answer],
    exact: Callable[[Tensor], Answer],
    y: Tensor,
    eligible: Tensor,
    tolerance: float,
) -> Answer:
    """The answers of an exact chain, and those of another method for the samples at which the chain fails.

    What comes back for a sample does not depend on the other samples of the batch.

    Args:
        other: from features ``(K, *tap)`` to inputs and their certificate.
        exact: the same, by the chain.
        y: features ``(N, *tap)``.
        eligible: samples for which the chain is worth its time, bool ``(N,)``.
        tolerance: relative residual up to which an answer counts as exact.

    Returns:
        Inputs and their certificate, ``(N,)``.
    """
    rows = eligible.nonzero()[:, 0]
    if not len(rows):
        return other(y)
    x, certificate = exact(y[rows])
    held = certificate.residual <= tolerance
    left = torch.cat([(~eligible).nonzero()[:, 0], rows[~held]]).sort().values
    if not len(left):
        return x, certificate
    if len(left) == len(y):
        return other(y)
    return _interleaved(rows[held], (x[held], _rows(certificate, held)), left, other(y[left]))


def unsaturated(y: Tensor) -> Tensor:
    """Count the numbers of every sample that are at neither end of its range, ``(N,)``: clamps tell less."""
    rows = y.flatten(1)
    low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
    ends = (rows == low).sum(1), (rows == high).sum(1)
    return rows.shape[1] - sum((n * (n > 1) for n in ends), torch.zeros_like(ends[0]))


def _rows(certificate: Certificate, rows: Tensor) -> Certificate:
    kept = {name: value[rows] for name, value in _values(certificate).items()}
    return replace(certificate, **kept)


def _interleaved(first: Tensor, one: Answer, second: Tensor, two: Answer) -> Answer:
    """Two answers to disjoint samples as one, in the order of the samples."""
    order = torch.cat([first, second]).argsort()

    def joined(a: Tensor, b: Tensor) -> Tensor:
        kept = torch.promote_types(a.dtype, b.dtype)
        return torch.cat([a.to(kept), b.to(kept)])[order]

    values, others = _values(one[1]), _values(two[1])
    message = f"samples {first.tolist()}: {EXACT}; samples {second.tolist()}: {two[1].message}"
    merged = {name: joined(value, others[name]) for name, value in values.items()}
    return joined(one[0], two[0]), Certificate(**merged, message=message)


def _values(certificate: Certificate) -> dict[str, Tensor]:
    names = [field.name for field in fields(Certificate) if field.name != "message"]
    return {name: getattr(certificate, name) for name in names}
