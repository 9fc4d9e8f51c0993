"""Answers sample by sample: solved one by one, and the better one of two attempts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from preimage.certificate import Certificate, relative_residual, stack

Found = tuple[Tensor, Certificate]
"""Answers ``(N, *in)`` and their evidence."""


def one_by_one(
    f: Callable[[Tensor], Tensor],
    y: Tensor,
    start: Tensor,
    tolerance: float,
    solve: Callable[[Tensor, Tensor], tuple[Tensor, int]],
    message: str,
) -> Found:
    """Solve ``f(x) = y`` for one sample after the other.

    Args:
        f: the map, ``(N, *in) -> (N, *out)``.
        y: what f should return, ``(N, *out)``.
        start: first guess, ``(N, *in)``.
        tolerance: relative residual at which a sample is solved.
        solve: from one sample's y and start, ``(1, ...)`` each, to x and the steps used.
        message: what is said where a sample is not solved.
    """
    rows = [solve(y[i : i + 1], start[i : i + 1]) for i in range(len(y))]
    if not rows:
        empty = y.new_zeros(0)
        return start, Certificate(empty, empty > 0)
    x = torch.cat([row[0] for row in rows])
    residual = relative_residual(f(x), y)
    converged = residual <= tolerance
    used = torch.tensor([row[1] for row in rows], device=y.device)
    return x, Certificate(residual, converged, iterations=used, message="" if converged.all() else message)


def each(solve: Callable[[int], Found], rows: Tensor) -> Found:
    """Answers of a solver that is asked for one sample at a time.

    Args:
        solve: from the number of a sample to its answer ``(1, *in)`` and evidence.
        rows: which samples, int ``(K,)``, at least one.
    """
    found = [solve(int(row)) for row in rows]
    return torch.cat([x for x, _ in found]), stack([certificate for _, certificate in found])


def better_of(found: Found, rows: Tensor, later: Found) -> Found:
    """The answers so far, replaced where a later attempt at some samples left a smaller residual.

    Args:
        found: answers to all N samples.
        rows: which samples were attempted again, int ``(K,)``.
        later: answers to those, ``(K, *in)``.

    Returns:
        The better answers; iterations add up, whichever attempt was better.
    """
    (x, certificate), (trial, evidence) = found, later
    better = evidence.residual < certificate.residual[rows].nan_to_num(torch.inf)
    kept = rows[better]
    x, used = x.index_copy(0, kept, trial[better].to(x)), certificate.iterations.clone()
    used[rows] += evidence.iterations.to(used)
    residual = certificate.residual.index_copy(0, kept, evidence.residual[better].to(certificate.residual))
    converged = certificate.converged.index_copy(0, kept, evidence.converged[better])
    message = "" if bool(converged.all()) else evidence.message or certificate.message
    kept_fields = replace(certificate, residual=residual, converged=converged, iterations=used)
    return x, replace(kept_fields, message=message)
