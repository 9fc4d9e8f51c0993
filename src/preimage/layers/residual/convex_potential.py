"""Gradients of convex functions: optimal transport maps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from preimage.bijection import Bijection
from preimage.checks import Context, exact_arithmetic
from preimage.domains import Reals
from preimage.functional.matrices.jacobian import row_jacobian
from preimage.functional.matrices.operator_bound import spectral_bound
from preimage.layers.residual.arguments import check_arguments
from preimage.layers.residual.conditioned_vector import event_shape, numel
from preimage.layers.residual.lipschitz_network import as_context, conditioned, embedding, vector_domain
from preimage.layers.residual.root_solver import RootSolver, SolverBySize


class ConvexPotential(Bijection):
    r"""The gradient of a strongly convex function, :math:`y = \nabla F(x)`.

    .. math:: F(x) = w^T z_K + \tfrac{\alpha}{2} \|x\|^2, \qquad
              z_{k+1} = \operatorname{softplus}(W_k z_k + A_k x + b_k), \quad w, W_k \ge 0, \; \alpha > 0.

    Convex in x, because the weights between hidden layers are positive; the Hessian, which is the Jacobian of
    the map, is symmetric and at least alpha: the map is invertible, and it is the optimal transport between
    what comes in and what goes out. The inverse minimises :math:`F(x) - x^T y`, to rounding: rows where that
    fails are NaN. The log_det is exact, from the full Hessian.

    Reference: Huang, Chen, Tsirigotis, Courville (2021), Convex potential flows, https://arxiv.org/abs/2012.05942;
    Amos, Xu, Kolter (2017), Input convex neural networks, https://arxiv.org/abs/1609.07152

    Args:
        shape: number of features, or the shape of events.
        hidden_features: width of each hidden layer.
        context: size of a context vector, which enters the first layer; 0 for none.
        solver: how the inverse is computed; by default Newton's method for up to 128 numbers, accelerated
            gradient steps above.

    Returns:
        y of the shape of x, and log_det ``(N,)``.

    Raises:
        ValueError: a size is not positive.

    Cost: two products with each weight, log_det 2 D runs and O(D^3), inverse some 6 D runs.

    Example:
        >>> layer = ConvexPotential(3, (8,))
        >>> x = torch.randn(2, 3)
        >>> torch.allclose(layer.inverse(layer(x)), x, atol=1e-4)
        True
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        hidden_features: Sequence[int] = (64, 64),
        *,
        context: int = 0,
        solver: RootSolver | None = None,
    ) -> None:
        super().__init__()
        self.shape = event_shape("ConvexPotential", shape)
        self.domain = self.codomain = Reals(*self.shape)
        self.context_domain = vector_domain(context)
        size = numel(self.shape)
        self.inputs = nn.ModuleList(nn.Linear(size, width) for width in hidden_features)
        self.raw_weights = nn.ParameterList(
            torch.randn(out, width) for width, out in itertools.pairwise(hidden_features)
        )
        self.raw_output = nn.Parameter(torch.randn(hidden_features[-1]))
        self.raw_alpha = nn.Parameter(torch.tensor([0.0]))
        self.context = embedding(context, hidden_features[0])
        self.solver = solver or SolverBySize()

    def forward(self, x: Any, context: Context = None) -> Any:
        """y alone, without the cost of a log_det."""
        x, context = check_arguments(self, "forward", "x", x, context)
        with exact_arithmetic(x):
            return self._prepare(context)(x.flatten(1)).view(x.shape)

    def inverse(self, y: Any, context: Context = None) -> Any:
        """x alone, without the cost of a log_det."""
        y, context = check_arguments(self, "inverse", "y", y, context)
        with exact_arithmetic(y):
            return self._solve(self._prepare(context), y)

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """The gradient, and the determinant of the Hessian."""
        gradient = self._prepare(context)
        flat = x.flatten(1)
        return gradient(flat).view(x.shape), _log_det(gradient, flat)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """The minimum of a convex function."""
        gradient = self._prepare(context)
        x = self._solve(gradient, y)
        return x, -_log_det(gradient, x.flatten(1))

    def _solve(self, gradient: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
        return self.solver.solve(gradient, y.flatten(1), self._rate()).view(y.shape)

    def _positive(self) -> tuple[list[Tensor], Tensor, Tensor]:
        """The positive weights between layers, those of the output, and alpha."""
        weights = [functional.softplus(raw) / raw.shape[1] for raw in self.raw_weights]
        output = functional.softplus(self.raw_output) / self.raw_output.shape[0] ** 0.5
        return weights, output, functional.softplus(self.raw_alpha)

    def _prepare(self, context: Context) -> Callable[[Tensor], Tensor]:
        """The gradient of F as a function of ``(K * N, D)``."""
        weights, output, alpha = self._positive()
        embedded = None if self.context is None else self.context(as_context(context))  # (N, H)

        def gradient(x: Tensor) -> Tensor:
            slopes = []
            before = conditioned(self.inputs[0](x), embedded)  # (K N, H)
            for weight, layer in zip(weights, self.inputs[1:], strict=True):
                slopes.append(torch.sigmoid(before))
                before = functional.linear(functional.softplus(before), weight) + layer(x)
            pull = torch.sigmoid(before) * output
            total = alpha * x + pull @ self.inputs[-1].weight  # pyright: ignore[reportOperatorIssue]
            for k in reversed(range(len(weights))):
                pull = slopes[k] * (pull @ weights[k])
                total = total + pull @ self.inputs[k].weight  # pyright: ignore[reportOperatorIssue]
            return total

        return gradient

    @torch.no_grad()
    def _rate(self) -> Tensor:
        """The step for which gradient descent contracts: 2 over the sum of both bounds of the Hessian."""
        weights, output, alpha = self._positive()
        inputs = [spectral_bound(layer.weight) for layer in self.inputs]  # pyright: ignore[reportArgumentType]
        pulls = [output]
        for weight in reversed(weights):
            pulls.insert(0, pulls[0] @ weight)  # how much of a layer arrives at the output, at most
        steepness, curvature = inputs[0], pulls[0].amax() * inputs[0].square()
        for weight, own, pull in zip(weights, inputs[1:], pulls[1:], strict=True):
            steepness = steepness * spectral_bound(weight) + own
            curvature = curvature + pull.amax() * steepness.square()
        return 2 / (2 * alpha + curvature / 4)


def _log_det(gradient: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return torch.linalg.slogdet(row_jacobian(gradient, x)).logabsdet
