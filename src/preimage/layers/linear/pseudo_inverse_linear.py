"""Dense layer whose inverse is the pseudo-inverse of its present weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from preimage.domains import Reals
from preimage.functional.event import align_event
from preimage.functional.matrices.rows import map_rows
from preimage.layers.linear.lost_rank import refuse_lost_rank
from preimage.layers.surjection.one_sided import OneSided, Side


class PseudoInverseLinear(OneSided):
    r"""Linear map :math:`y_p = W x_p + b` with the one-sided inverse :math:`x_p = W^+ (y_p - b)`.

    The pseudo-inverse is computed from the present weight at every call, so it is never stale, and gradients
    reach W through it: a network and its mirror image share one set of weights. With C inputs and D outputs
    of full rank:

    * D < C, a right inverse: forward(inverse(y)) = y, and inverse(forward(x)) is the orthogonal projection of
      x on the rows of W, the preimage of smallest norm. White data lose the part :math:`1 - D/C` of their
      variance.
    * D > C, a left inverse: inverse(forward(x)) = x, and inverse(y) is the least-squares solution.

    Reference: Penrose (1955), A generalized inverse for matrices, https://doi.org/10.1017/S0305004100030401

    Args:
        in_features: C.
        out_features: D. The weight starts with orthonormal rows or columns.
        bias: whether there is a shift b.

    Returns:
        y ``(N, D, ...)`` for x ``(N, C, ...)``, and back.

    Raises:
        ShapeError: x does not have C features, or y not D.
        NotInvertibleError: the inverse is asked of a weight that has lost its rank.

    Cost: C D a position; the inverse needs one QR decomposition a call, O(C D min(C, D)).

    Example:
        >>> import torch
        >>> layer = PseudoInverseLinear(5, 2)
        >>> y = torch.randn(3, 2)
        >>> torch.allclose(layer(layer.inverse(y)), y, atol=1e-5), layer.side
        (True, 'right')
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.domain, self.codomain = Reals(in_features, ...), Reals(out_features, ...)
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        nn.init.orthogonal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None

    @classmethod
    def from_linear(cls, linear: nn.Linear) -> PseudoInverseLinear:
        """The layer that shares the parameters of an ``nn.Linear``.

        Example:
            >>> linear = torch.nn.Linear(4, 2)
            >>> PseudoInverseLinear.from_linear(linear).weight is linear.weight
            True
        """
        layer = cls(linear.in_features, linear.out_features, bias=False)
        layer.weight, layer.bias = linear.weight, linear.bias
        return layer

    @property
    def side(self) -> Side:
        """Left where there are at least as many outputs as inputs."""
        return "left" if self.weight.shape[0] >= self.weight.shape[1] else "right"

    def forward_values(self, x: Tensor) -> Tensor:
        """Multiply, then shift."""
        y = map_rows(lambda rows: nn.functional.linear(rows, self.weight), x)
        return y if self.bias is None else y + align_event(self.bias, y)

    def inverse_values(self, y: Tensor) -> Tensor:
        """Shift back, then solve with the triangular factor of W or of its transpose."""
        shifted = y if self.bias is None else y - align_event(self.bias, y)
        return map_rows(self._solve_wide if self.side == "right" else self._solve_tall, shifted)

    def pseudo_inverse(self) -> Tensor:
        """The matrix W^+ ``(C, D)``."""
        identity = torch.eye(self.weight.shape[0], dtype=self.weight.dtype, device=self.weight.device)
        return (self._solve_wide(identity) if self.side == "right" else self._solve_tall(identity)).mT

    def condition(self) -> float:
        """Condition number of the weight."""
        singular = torch.linalg.svdvals(self.weight)
        return (singular[0] / singular[-1]).item()

    def nullity(self) -> int:
        """C minus the rank."""
        return self.weight.shape[1] - int(torch.linalg.matrix_rank(self.weight))

    def _solve_wide(self, rows: Tensor) -> Tensor:
        """Rows ``(M, D)`` with W^T = Q R: x = Q R^-T y."""
        q, r = self._factorise(self.weight.mT)
        return torch.linalg.solve_triangular(r, rows, upper=True, left=False) @ q.mT

    def _solve_tall(self, rows: Tensor) -> Tensor:
        """Rows ``(M, D)`` with W = Q R: x = R^-1 Q^T y."""
        q, r = self._factorise(self.weight)
        return torch.linalg.solve_triangular(r.mT, rows @ q, upper=False, left=False)

    def _factorise(self, tall: Tensor) -> tuple[Tensor, Tensor]:
        q, r = torch.linalg.qr(tall)
        refuse_lost_rank("PseudoInverseLinear.inverse", r.diagonal(), tall)
        return q, r
