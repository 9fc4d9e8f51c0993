"""The evidence of a step with one row a sample, where its rule worked on several rows of each."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from preimage.certificate import Certificate
from preimage.inverse.registry import Site, Solved


def per_sample(solved: Solved, samples: int) -> Solved:
    """The answer of a rule with its evidence counted by samples: the worst row speaks, log_dets add up.

    Args:
        solved: what the rule returned.
        samples: number of samples.
    """
    certificate, log_det = solved.certificate, solved.log_det
    if certificate is not None and len(certificate) != samples:
        certificate = worst_rows(certificate, samples)
    if log_det is not None and len(log_det) != samples:
        log_det = log_det.view(samples, -1).sum(1)
    return replace(solved, certificate=certificate, log_det=log_det)


def without_derivative(site: Site, samples: int, y: Tensor, reason: str) -> Solved:
    """Zeros for a value that no solver can look for, because PyTorch cannot differentiate what follows it.

    Args:
        site: the region.
        samples: number of samples.
        y: the known value, for dtype and device.
        reason: what PyTorch said.
    """
    x = site.from_samples(site.source, y.new_zeros(samples, *site.event))
    unknown = torch.full((samples,), torch.inf, dtype=y.dtype, device=y.device)
    message = f"{site.node.name}: left at zero, since {reason}"
    failed = torch.zeros(samples, dtype=torch.bool, device=y.device)
    return Solved(x, None, Certificate(unknown, failed, message=message), exact=0.0)


def worst_rows(certificate: Certificate, samples: int) -> Certificate:
    """A certificate with the worst of each sample's consecutive rows.

    Args:
        certificate: evidence with a multiple of ``samples`` rows.
        samples: number of samples.
    """

    def worst(rows: Tensor) -> Tensor:
        return rows.view(samples, -1).amax(1)

    return Certificate(
        residual=worst(certificate.residual),
        converged=certificate.converged.view(samples, -1).all(1),
        error_bound=worst(certificate.error_bound),
        iterations=worst(certificate.iterations),
        condition=worst(certificate.condition),
        nullity=_total(certificate.nullity.view(samples, -1)),
        domain_violation=worst(certificate.domain_violation),
        message=certificate.message,
    )


def _total(nullity: Tensor) -> Tensor:
    """The sum of each row, -1 where any part is not known."""
    return torch.where((nullity < 0).any(1), -1, nullity.sum(1))
