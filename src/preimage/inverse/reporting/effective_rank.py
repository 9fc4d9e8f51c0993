"""How many directions share the energy of a linear map, without factorising it."""

from __future__ import annotations

import torch

from preimage.inverse.linear import LinearMap

PROBES = 4
FEW = 64
"""Unknowns up to which every direction is tried, so that nothing is estimated."""


@torch.no_grad()
def effective_rank(linear: LinearMap) -> float:
    r"""The participation ratio of the squared singular values of A,

    .. math:: \frac{(\sum_i \sigma_i^2)^2}{\sum_i \sigma_i^4}
              = \frac{(\operatorname{tr} A^T A)^2}{\operatorname{tr} (A^T A)^2}.

    It is the rank where all singular values are equal, and less where few of them carry most of the energy.
    Both traces are estimated with random signs v: the means of :math:`|A v|^2` and :math:`|A^T A v|^2`.

    Reference: M. F. Hutchinson (1989), A stochastic estimator of the trace of the influence matrix,
    https://doi.org/10.1080/03610918908812806

    Args:
        linear: the map A.

    Returns:
        The estimate, the same at every call; exact up to rounding for up to 64 unknowns. 0 for A = 0.

    Cost:
        Four products with A and its adjoint; no factorisation.

    Example:
        >>> from preimage.inverse.linear import Dense
        >>> effective_rank(Dense(torch.diag(torch.tensor([1.0, 1.0, 0.0]))))
        2.0
    """
    tensor = next(iter(linear.tensors()), torch.empty(0))
    dtype = tensor.dtype if tensor.is_floating_point() else torch.float32
    v = _probes(linear.in_size, dtype).to(tensor.device).view(-1, *linear.in_shape)
    w = linear.apply(v)
    energy = w.double().square().sum()
    fourth = linear.adjoint(w).double().square().sum()
    share = 1.0 if linear.in_size <= FEW else 1 / PROBES
    return float(share * energy**2 / fourth) if float(fourth) > 0 else 0.0


def _probes(size: int, dtype: torch.dtype) -> torch.Tensor:
    """Every direction where there are few, else random signs."""
    if size <= FEW:
        return torch.eye(size, dtype=dtype)
    generator = torch.Generator().manual_seed(0)  # of its own: the user's random state is left alone
    return torch.randint(0, 2, (PROBES, size), generator=generator).mul(2).sub(1).to(dtype)
