"""Any linear map: conjugate gradients on the unsaturated rows."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.solvers.linear_systems.cgls import IterativeResult, cgls
from preimage.inverse.solvers.saturated.regions.active_set import ActiveSetRegion, Rows
from preimage.inverse.solvers.saturated.saturation import register_region


@register_region
@final
class MaskedRows(ActiveSetRegion):
    """Minimise |D (A x + b - y)| by conjugate gradients for least squares.

    Cost: one A and one A' an iteration.
    """

    route = "conjugate gradients on the unsaturated rows"
    preference = 2
    iterations = 400

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Always."""
        return True

    def _local_any(self, flags: Tensor) -> Tensor:
        return flags.flatten(1).any(1)

    def _local_norm(self, x: Tensor) -> Tensor:
        return torch.linalg.vector_norm(x.flatten(1), dim=1)

    def _least_squares(self, rows: Rows, targets: Tensor, start: Tensor) -> tuple[IterativeResult, Tensor]:
        mask, pinned, size = rows.mask.to(start), rows.pinned.to(start), self._linear.in_size
        out = self._linear.out_shape

        def apply(x: Tensor) -> Tensor:
            return torch.cat([(mask * self._linear.apply(x)).flatten(1), (pinned * x).flatten(1)], 1)

        def adjoint(v: Tensor) -> Tensor:
            z, held = v[:, : v.shape[1] - size], v[:, v.shape[1] - size :]
            return self._linear.adjoint(mask * z.view(-1, *out)) + pinned * held.view(-1, *start.shape[1:])

        held = torch.zeros_like(start)
        held[:1] = rows.bound.to(start) * pinned
        wanted = torch.cat([(mask * targets).flatten(1), held.flatten(1)], 1)
        tolerance = 3e-7 if start.dtype == torch.float32 else 1e-13
        result = cgls(apply, adjoint, wanted, start, tolerance=tolerance, iterations=self.iterations)
        return result, torch.linalg.vector_norm((apply(result.x) - wanted).double(), dim=1)
