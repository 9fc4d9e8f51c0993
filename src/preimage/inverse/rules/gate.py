"""Squeeze-and-excite gates x s(mean x): the channel means are found first, then x is a quotient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from preimage.capture.interpret import BATCH, evaluate
from preimage.certificate import Certificate, relative_residual
from preimage.errors import NotInvertibleError
from preimage.inverse.planning.gates import gate_of
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.registry import Site, Solved, register_inverse
from preimage.inverse.rules.enclosed import default_tolerance
from preimage.inverse.solvers.nonlinear.dense_newton import dense_newton

STARTS = (0.5, 0.9, 0.2)
"""Gates that the first guesses assume."""


@register_inverse("preimage::gate", guarantee=Guarantee.ITERATIVE)
def gate(site: Site, y: Tensor) -> Solved:
    """x = y / s, where the channel means m of x solve m s(m) = mean(y).

    These are as many equations as channels, solved by Newton's method from three guesses; ``exact`` only
    where all that converge agree. A gate of zero loses its channel.
    """
    found = gate_of(site.graph, site.node)
    if found is None:
        raise NotInvertibleError(f"{site.node.name} is no product x s(mean x)")
    _, mean, name = found
    excite = _excitation(site, mean, name)
    wanted = y.flatten(2).mean(2)  # (N, C)

    def squeezed(m: Tensor) -> Tensor:
        return m * excite(m)

    answers, evidence = _solutions(squeezed, wanted, default_tolerance(y.dtype))
    m = answers[0]
    s = excite(m).view(*m.shape, *[1] * (y.dim() - 2))
    dead = s == 0
    x = torch.where(dead, 0.0, y / torch.where(dead, 1.0, s))
    alone = _agree(answers, evidence) and not bool(dead.any())
    return Solved(x, certificate=evidence[0], exact=1.0 if alone and evidence[0].ok else 0.0)


def _excitation(site: Site, mean: str, gate: str) -> Callable[[Tensor], Tensor]:
    """m ``(N, C)`` to the gates ``(N, C)``."""
    inside = {node.name for node in site.nodes}
    known = {name: value for name, value in site.values.items() if name not in inside}
    shape = site.graph.by_name[mean].shape

    def excite(m: Tensor) -> Tensor:
        values = {**known, mean: m.view(-1, *shape), BATCH: m.shape[0]}
        return evaluate(site.graph, values, [gate])[gate].flatten(1)

    return excite


def _solutions(
    f: Callable[[Tensor], Tensor], wanted: Tensor, tolerance: float
) -> tuple[list[Tensor], list[Certificate]]:
    """Solutions from every guess, those of the smallest residual taken sample by sample as the first."""
    answers, evidence = [], []
    for share in STARTS:
        m, certificate = dense_newton(f, wanted, wanted / share, tolerance=tolerance)
        answers.append(m)
        evidence.append(certificate)
    best = torch.stack([c.residual.nan_to_num(float("inf")) for c in evidence]).argmin(0)
    rows = torch.arange(len(wanted), device=wanted.device)
    first = torch.stack(answers)[best, rows]
    residual = relative_residual(f(first), wanted)
    certificate = Certificate(residual, residual <= tolerance, message=evidence[0].message)
    return [first, *answers], [certificate, *evidence]


def _agree(answers: list[Tensor], evidence: list[Certificate]) -> bool:
    """Whether every guess that led to a solution led to the same one."""
    first = answers[0]
    for answer, certificate in zip(answers[1:], evidence[1:], strict=True):
        apart = (answer - first).norm(dim=1) > 1e-3 * first.norm(dim=1)
        if bool((apart & certificate.converged).any()):
            return False
    return True
