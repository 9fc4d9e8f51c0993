"""Overlapping windows: each solves its own equations, and conjugate gradients make them agree."""

from __future__ import annotations

import math
from typing import cast, final

import torch
from torch import Tensor

from preimage.inverse.linear.base import LinearMap
from preimage.inverse.linear.convolution import Convolution
from preimage.inverse.solvers.linear_systems.cgls import IterativeResult
from preimage.inverse.solvers.linear_systems.normal_equations import masked_gram
from preimage.inverse.solvers.linear_systems.spd import conjugate_gradients
from preimage.inverse.solvers.linear_systems.window_rows import WindowRows
from preimage.inverse.solvers.linear_systems.windows import Windows
from preimage.inverse.solvers.saturated.regions.active_set import ActiveSetRegion, Rows
from preimage.inverse.solvers.saturated.saturation import register_region

LARGEST_WINDOW = 160
"""Most unknowns of a window."""

MEMORY = 2**27
"""Most entries of all window matrices of one sample (512 MiB in float32)."""

PART = 1024
"""Windows that are factorised at a time: their matrices stay in the processor's cache."""


@register_region
@final
class WindowConsensus(ActiveSetRegion):
    """Minimise the sum over windows p of |W_p^(1/2) D_p (A x_p + b - y_p)|^2, W_p = (D_p A A' D_p + c I)^-1.

    The weights make the rows of every window orthonormal, which removes the spread of the filters' gains
    from the conditioning: only the geometry of the overlaps remains. Consistent equations keep their solution
    under any weights. With G = A' D_p A, K = (G + c I)^-1 and P = I - c K, close to the projector on the
    rows, the system is ``sum U' P P U x = sum U' P K A' D_p (y_p - b)`` with U the cutting out of windows.

    Reference: the weights are those of the block Cimmino method, Arioli et al. (1992),
    https://doi.org/10.1137/0913073, accelerated by conjugate gradients.

    Cost: ``rows n^2 + n^3`` once and ``n^2`` an iteration for each position, n the window's unknowns.
    """

    route = "consensus of overlapping windows"
    preference = 1
    damping = 2.5e-6

    @classmethod
    def accepts(cls, linear: LinearMap) -> bool:
        """Whether the windows are small, see several outputs each, and fit into memory together."""
        if not isinstance(linear, Convolution):
            return False
        unknowns = linear.weight[0].numel()
        entries = linear.groups * math.prod(linear.out_shape[1:]) * unknowns**2
        several = linear.weight.shape[0] > linear.groups
        return several and unknowns <= LARGEST_WINDOW and entries <= MEMORY

    def _prepare(self, linear: LinearMap, offset: Tensor) -> None:
        self._linear, self._offset = linear, offset
        self._windows, self._rows = Windows(linear), WindowRows(cast(Convolution, linear))
        self._matrix = self._windows.matrix  # (groups, rows, unknowns)
        self._row_norm = self._matrix.norm(dim=2).view(-1, *[1] * (len(linear.out_shape) - 1))
        self._damp = self.damping * self._matrix.square().sum((1, 2)).max()

    def _local_any(self, flags: Tensor) -> Tensor:
        any_row = self._windows.outputs(flags).any(2).any(0)
        return self._windows.per_position(any_row, flags.shape[0])

    def _local_norm(self, x: Tensor) -> Tensor:
        squares = self._windows.inputs(x).square().sum((0, 2))
        return self._windows.per_position(squares.sqrt(), x.shape[0])

    def _least_squares(self, rows: Rows, targets: Tensor, start: Tensor) -> tuple[IterativeResult, Tensor]:
        windows = self._rows
        matrices, local = self._windows_of(rows, targets)
        pinned = rows.pinned.to(start)
        right = windows.add(local)
        right[:1] += pinned * rows.bound.to(start)
        diagonal = windows.add(matrices.diagonal(dim1=-2, dim2=-1)[:, :, None].contiguous()) + pinned

        def project(x: Tensor) -> Tensor:
            return windows.cut(x) @ matrices  # rows times matrix: the matrices are symmetric

        result = conjugate_gradients(
            lambda x: windows.add(project(x)) + pinned * x,
            right,
            start,
            diagonal.clamp_min(0.25),
            tolerance=3e-9 if start.dtype == torch.float32 else 1e-13,
            iterations=self.iterations,
        )
        misfit = (project(result.x) - local).double()
        return result, misfit.square().sum((0, 1, 3)).sqrt()

    def _windows_of(self, rows: Rows, targets: Tensor) -> tuple[Tensor, Tensor]:
        """P P, ``(groups, positions, n, n)``, and P K A' D t, ``(groups, positions, k, n)``.

        Written part by part to where they stay, since joining the parts would take a fifth of all time.
        """
        masks, values = self._windows.outputs(rows.mask), self._windows.outputs(targets.double())
        values = values.unflatten(1, (targets.shape[0], -1))  # (groups, k, positions, rows)
        groups, k, positions, _ = values.shape
        n = self._matrix.shape[2]
        matrices = targets.new_empty(groups, positions, n, n)
        local = targets.new_empty(groups, positions, k, n)
        for group, matrix in enumerate(self._matrix):
            for first in range(0, positions, PART):
                part = slice(first, first + PART)
                found = matrices[group, part], local[group, part]
                self._write(found, matrix, masks[group, part], values[group, :, part])
        return matrices, local

    def _write(self, found: tuple[Tensor, Tensor], matrix: Tensor, mask: Tensor, values: Tensor) -> None:
        """The same of some positions of one group."""
        gram = masked_gram(matrix, mask)
        gram.diagonal(dim1=-2, dim2=-1).add_(self._damp)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky_ex(gram).L)
        right = ((values * mask) @ matrix).permute(1, 2, 0)  # (positions, n, k)
        local = inverse @ right
        # rounding outside of the row space would be amplified by the damping
        local = local - self._damp * (inverse @ local)
        project = inverse.mul_(-self._damp)
        project.diagonal(dim1=-2, dim2=-1).add_(1)
        project = project.to(found[0])
        torch.matmul(project, project, out=found[0])
        found[1].copy_(local.mT)
