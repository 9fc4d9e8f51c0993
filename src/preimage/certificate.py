"""The evidence that every inverse in the library carries: one row per sample, never a bare claim."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal

import torch
from torch import Tensor

from preimage.errors import DomainError, NotConvergedError, NumericalWarning

OnError = Literal["raise", "warn", "nan"]


@dataclass(frozen=True)
class Certificate:
    """What one call of an inverse can prove about its answer, one entry per sample.

    The residual of sample n is ``|f(x_n) - y_n| / |y_n|`` (Euclidean norms over the event; the plain norm
    where y is zero). It is computed by running the map forward again, never assumed.

    Args:
        residual: relative residual, shape ``(N,)``.
        converged: whether the residual met the tolerance and nothing was violated, bool ``(N,)``.
        error_bound: upper bound on the relative error of x where one is known, else NaN, ``(N,)``.
        iterations: solver iterations used, int ``(N,)``; 0 for closed forms.
        condition: condition number of the (local) linear map where known, else NaN, ``(N,)``.
        nullity: dimension of the set of other solutions where known, else -1, int ``(N,)``.
        domain_violation: how far y lay outside the range of the map, 0 inside, ``(N,)``.
        message: one sentence for people; empty when all is well.
    """

    residual: Tensor
    converged: Tensor
    error_bound: Tensor = field(default_factory=lambda: torch.empty(0))
    iterations: Tensor = field(default_factory=lambda: torch.empty(0))
    condition: Tensor = field(default_factory=lambda: torch.empty(0))
    nullity: Tensor = field(default_factory=lambda: torch.empty(0))
    domain_violation: Tensor = field(default_factory=lambda: torch.empty(0))
    message: str = ""

    def __post_init__(self) -> None:
        n, like = self.residual.shape[0], self.residual
        defaults = {
            "error_bound": like.new_full((n,), float("nan")),
            "iterations": torch.zeros(n, dtype=torch.long, device=like.device),
            "condition": like.new_full((n,), float("nan")),
            "nullity": torch.full((n,), -1, dtype=torch.long, device=like.device),
            "domain_violation": like.new_zeros(n),
        }
        for name, value in defaults.items():
            if getattr(self, name).shape[0] != n:
                object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return self.residual.shape[0]

    @property
    def ok(self) -> bool:
        """Whether every sample converged."""
        return bool(self.converged.all())

    def __str__(self) -> str:
        if not len(self):
            return "certificate of an empty batch"
        verdict = (
            "converged"
            if self.ok
            else f"NOT converged for {int((~self.converged).sum())} of {len(self)} samples"
        )
        worst = self.residual.max().item()
        return f"{verdict}; largest relative residual {worst:.2e}" + (
            f"; {self.message}" if self.message else ""
        )


def relative_residual(actual: Tensor, wanted: Tensor) -> Tensor:
    """Relative residual per sample, ``|actual - wanted| / |wanted|``; the plain norm where wanted is zero.

    Args:
        actual, wanted: tensors of equal shape ``(N, ...)``.

    Returns:
        Tensor ``(N,)``, float32 or better; NaN stays NaN.
    """
    wanted = wanted.flatten(1) if wanted.dim() > 1 else wanted[:, None]
    actual = actual.flatten(1) if actual.dim() > 1 else actual[:, None]
    dtype = torch.promote_types(wanted.dtype, torch.float32)
    error = torch.linalg.vector_norm((actual - wanted).to(dtype), dim=1)
    size = torch.linalg.vector_norm(wanted.to(dtype), dim=1)
    return error / torch.where(size > 0, size, torch.ones_like(size))


def join(parts: Sequence[Certificate]) -> Certificate:
    """One certificate for a chain of inverses: the worst of each row, converged only where all are."""
    worst = {
        f.name: torch.stack([getattr(p, f.name) for p in parts]).amax(0)
        for f in fields(Certificate)
        if f.name not in ("message", "converged", "nullity")
    }
    nullity = torch.stack([p.nullity for p in parts])
    return Certificate(
        **worst,
        converged=torch.stack([p.converged for p in parts]).all(0),
        nullity=torch.where((nullity < 0).any(0), -1, nullity.clamp_min(0).sum(0)),
        message="; ".join(dict.fromkeys(p.message for p in parts if p.message)),
    )


def stack(parts: Sequence[Certificate]) -> Certificate:
    """One certificate for several batches, one after the other; a message said twice is said once."""
    names = [f.name for f in fields(Certificate) if f.name != "message"]
    rows = {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    return Certificate(**rows, message="; ".join(dict.fromkeys(p.message for p in parts if p.message)))


def choose(first: Tensor, one: Certificate | None, other: Certificate | None) -> Certificate | None:
    """The evidence of answers that were chosen sample by sample.

    Args:
        first: which samples take the first answer, bool ``(N,)``; the others take the second.
        one, other: evidence of both answers; None is a closed form without doubt.
    """
    if one is None and other is None:
        return None
    one, other = one or _beyond_doubt(first), other or _beyond_doubt(first)
    names = [f.name for f in fields(Certificate) if f.name != "message"]
    rows = {name: torch.where(first, getattr(one, name), getattr(other, name)) for name in names}
    failed = ~rows["converged"]
    said = [part.message for part, used in ((one, first), (other, ~first)) if bool((failed & used).any())]
    return Certificate(**rows, message="; ".join(dict.fromkeys(filter(None, said))))


def _beyond_doubt(rows: Tensor) -> Certificate:
    return Certificate(torch.zeros(len(rows), device=rows.device), torch.ones_like(rows))


def enforce(x: Tensor, certificate: Certificate, on_error: OnError, what: str) -> Tensor:
    """Apply the library's one policy word to an answer whose certificate failed for some samples.

    Args:
        x: the answer, ``(N, ...)``.
        certificate: its evidence.
        on_error: ``"raise"`` a NotConvergedError, ``"warn"`` and return x, or replace failed samples by
            ``"nan"``.
        what: the name of the map, for the message.
    """
    if on_error not in ("raise", "warn", "nan"):
        raise DomainError(f'got on_error={on_error!r}; "raise", "warn" or "nan" was wanted')
    if certificate.ok:
        return x
    message = (
        f"{what}: {certificate}. Likely causes: the values are outside the range of the map, the map is close"
        " to singular there, or float32 is too coarse; try float64, a looser tolerance or more iterations"
    )
    if on_error == "raise":
        raise NotConvergedError(message)
    if on_error == "warn":
        warnings.warn(message, NumericalWarning, stacklevel=3)
        return x
    failed = ~certificate.converged.view(-1, *[1] * (x.dim() - 1))
    return x.masked_fill(failed, float("nan"))


def with_message(certificate: Certificate, *parts: str) -> Certificate:
    """The same evidence with another message, made of the parts that are not empty."""
    return replace(certificate, message="; ".join(part for part in parts if part))
