"""At the edges of the domain an answer is right, or visibly not an answer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.certificate import relative_residual
from preimage.certify import where_defined
from preimage.checks import Context, Domains, as_tuple, unpack
from preimage.testing.case import Case, convert, flat
from preimage.testing.law import law, require


@law("extreme inputs")
def extremes(case: Case) -> None:
    """At zeros, subnormals, 1e6 and the edges: no NaN from finite numbers, no silent wrong inverse."""
    for dtype in (torch.float32, torch.float64):
        typed = case.to(dtype)
        _check(typed.layer, typed.layer.domain, typed.x, typed.context, f"forward in {dtype}")
        _check(typed.layer.inv, typed.layer.codomain, typed.y, typed.context, f"inverse in {dtype}")


def edge_rows(value: Any, domains: Domains) -> Any:
    """One row per edge with the edge everywhere, and one with it in the first place only."""
    dtype = as_tuple(value)[0].dtype
    edges = torch.cat([domain.edges(dtype) for domain in as_tuple(domains)])
    pairs = zip(as_tuple(value), as_tuple(domains), strict=True)
    return unpack(_edge_rows(tensor, domain, edges) for tensor, domain in pairs)


def _edge_rows(tensor: Tensor, domain: Any, edges: Tensor) -> Tensor:
    ordinary = tensor[:1].detach().reshape(1, -1).expand(2 * len(edges), -1)  # (2 E, D)
    rows = ordinary.clone()
    rows[: len(edges)] = edges[:, None]
    rows[len(edges) :, :1] = edges[:, None]
    rows = rows.reshape(-1, *tensor.shape[1:])
    return torch.where(domain.outside(rows), ordinary.reshape(rows.shape), rows)


def _check(layer: Bijection, domains: Domains, value: Any, context: Context, what: str) -> None:
    leaves = convert(edge_rows(value, domains), lambda tensor: tensor.requires_grad_())
    rows = as_tuple(leaves)[0].shape[0]
    repeated = convert(context, lambda tensor: tensor[:1].expand(rows, *tensor.shape[1:]))
    answer, violation = where_defined(lambda v, c: _joined(layer, v, c), leaves, repeated)  # (2 E, D + 1)
    refused, finite = violation > 0, answer.isfinite().all(1)
    require(not (answer.isnan().any(1) & ~refused).any(), f"{what}: NaN out of finite numbers")
    if answer.requires_grad:
        for name, part in (("values", answer[finite, :-1]), ("log_det", answer[finite, -1])):
            found = torch.autograd.grad(part.sum(), as_tuple(leaves), allow_unused=True, retain_graph=True)
            bad = torch.stack([_nan_rows(gradient, rows) for gradient in found]).any(0)
            require(not (bad & finite).any(), f"{what}: NaN in the gradient of {name}")
    _require_honest(layer, leaves, repeated, finite, what)


def _joined(layer: Bijection, value: Any, context: Context) -> Tensor:
    answer, log_det = layer.forward_and_log_det(value, context)
    return torch.cat([flat(answer), log_det[:, None]], dim=1)


def _nan_rows(gradient: Tensor | None, rows: int) -> Tensor:
    return torch.zeros(rows, dtype=torch.bool) if gradient is None else gradient.flatten(1).isnan().any(1)


@torch.no_grad()
def _require_honest(layer: Bijection, value: Any, context: Context, finite: Tensor, what: str) -> None:
    """Where the inverse of the answer is certified, it leads to the answer."""
    value, context = (convert(part, lambda tensor: tensor[finite]) for part in (value, context))
    answer = layer.forward(value, context)
    back, certificate = layer.certified_inverse(answer, context, on_error="nan")
    again, _ = where_defined(layer.forward, back, context)
    wrong = ~(relative_residual(flat(again), flat(answer)) < 1e-2)
    require(not (wrong & certificate.converged).any(), f"{what}: a wrong inverse is certified")
