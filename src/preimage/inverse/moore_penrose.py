"""The Moore-Penrose inverse of one layer, or of several affine ones, as a differentiable module."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from preimage.capture.export import capture
from preimage.capture.graph import Graph, Node
from preimage.capture.interpret import evaluate
from preimage.certificate import Certificate
from preimage.errors import NotInvertibleError
from preimage.inverse.linear import Affine, AffineComposition, Identity, Shape
from preimage.inverse.planning.roles import affine_role
from preimage.inverse.rules.affine import affine_of
from preimage.inverse.rules.reshape import MOVES, SAME_ORDER
from preimage.inverse.solvers import Facts
from preimage.inverse.solvers import pseudo_inverse as solver_of
from preimage.inverse.solvers.pseudo_inverses.implicit import with_derivatives


@final
class MoorePenrose(nn.Module):
    """x = A+ (y - b) for a layer y = A x + b: the least-squares solution of least norm.

    The four identities A A+ A = A, A+ A A+ = A+, (A A+)' = A A+ and (A+ A)' = A+ A hold to rounding. The
    route (one small decomposition a position, Fourier transform, dense matrix, conjugate gradients) follows
    from the structure of the layer; the factorisation is made again when a parameter changed.

    Reference: Penrose (1955), https://doi.org/10.1017/S0305004100030401.

    Args:
        layer: an affine module, or several one after another, in evaluation mode.
        input_shape: event shape of its input, such as ``(C, H, W)``.

    Raises:
        NotInvertibleError: when the layer is not a chain of affine operations.
        CaptureError: when it cannot be captured.

    Example:
        >>> import torch, preimage as pi
        >>> layer = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1).double()
        >>> inverse = pi.pseudo_inverse(layer, (3, 9, 9))
        >>> y = layer(torch.randn(2, 3, 9, 9).double())
        >>> torch.allclose(layer(inverse(y)), y)
        True
    """

    def __init__(self, layer: nn.Module, input_shape: Shape) -> None:
        super().__init__()
        self.layer = layer
        self.in_shape = tuple(input_shape)
        self._graph = capture(layer, _example(layer, self.in_shape))
        self._solver = solver_of(_affine(self._graph))

    @property
    def facts(self) -> Facts:
        """Rank, condition number and guarantee for the present parameters."""
        return self._solver.facts

    @property
    def route(self) -> str:
        """How the inverse is computed."""
        return self._solver.route

    def forward(self, y: Tensor) -> Tensor:
        """A+ (y - b), with derivatives by y and by the layer's parameters.

        Args:
            y: outputs of the layer, ``(N, *out)``.

        Returns:
            ``(N, *input_shape)``.

        Cost: one solve; where gradients are recorded, five.
        """
        with torch.no_grad():
            x = self._solver.solve(y.detach())
        watched = y.requires_grad or any(p.requires_grad for p in self.layer.parameters())
        if not (watched and torch.is_grad_enabled()):
            return x
        return with_derivatives(self._image, self._solve_linear, y, x, in_shape=self.in_shape)

    def solve(self, y: Tensor, tol: float | None = None) -> tuple[Tensor, Certificate]:
        """The answer with its evidence; a y outside the range of the layer is projected and flagged.

        Args:
            y: outputs of the layer, ``(N, *out)``.
            tol: relative residual |A x + b - y| / |y| that counts as converged; 1e-4 for float32 and 1e-9 for
                float64 when left out.
        """
        with torch.no_grad():
            solution = self._solver(y, tol)
        return solution.x, solution.certificate

    def unseen(self, x: Tensor) -> Tensor:
        """(I - A+ A) x: the part of x that the layer does not see, ``(N, *input_shape)``."""
        return x - self._solve_linear(self._image(x) - self._image(torch.zeros_like(x)))

    def refresh(self) -> None:
        """Factorise again, after a change of the parameters that PyTorch does not count."""
        self._solver.refresh()

    def _image(self, x: Tensor) -> Tensor:
        return evaluate(self._graph, {self._graph.inputs[0]: x}, self._graph.outputs)[self._graph.outputs[0]]

    def _solve_linear(self, z: Tensor) -> Tensor:
        return self._solver.solve_linear(z)

    def extra_repr(self) -> str:
        """The route and the facts."""
        return str(self._solver)


def pseudo_inverse(layer: nn.Module, input_shape: Shape) -> MoorePenrose:
    """The Moore-Penrose inverse of an affine layer: convolutions of every kind, linear layers, norms, pools.

    Args:
        layer: an affine module, or several one after another, in evaluation mode.
        input_shape: event shape of its input, such as ``(C, H, W)``.

    Returns:
        A module: ``inverse(y)`` is differentiable in y and in the layer's parameters, ``inverse.solve(y)``
        adds a certificate, ``inverse.facts`` holds rank and condition number.

    Raises:
        NotInvertibleError: when the layer is not a chain of affine operations.

    Cost:
        One traced forward pass, and one factorisation at first use.

    Example:
        >>> import torch, preimage as pi
        >>> inverse = pi.pseudo_inverse(torch.nn.Conv1d(2, 4, 3, padding=1), (2, 8))
        >>> inverse.facts.guarantee, inverse.facts.nullity
        ('left', 0)
    """
    return MoorePenrose(layer, input_shape)


def _example(layer: nn.Module, shape: Shape) -> Tensor:
    like = next((p for p in layer.parameters() if p.is_floating_point()), torch.empty(0))
    return torch.zeros(1, *shape, dtype=like.dtype, device=like.device)


def _affine(graph: Graph) -> Affine:
    """The whole graph as one affine map: every node reads the value before it and nothing else."""
    parts, value = [], graph.inputs[0]
    for node in (node for node in graph.nodes if node.inputs):
        if node.inputs != (value,) or node.fold != 1 or node.parts:
            raise _not_affine(node)
        parts.append(_part(graph, node))
        value = node.name
    if graph.outputs != (value,):
        raise NotInvertibleError(f"the layer returns {list(graph.outputs)}; one value was wanted: {value}")
    return AffineComposition(parts) if parts else Identity(graph.shape(value))


def _part(graph: Graph, node: Node) -> Affine:
    if affine_role(graph, node) is None and node.operation not in (*SAME_ORDER, *MOVES):
        raise _not_affine(node)
    return affine_of(graph, [node])


def _not_affine(node: Node) -> NotInvertibleError:
    return NotInvertibleError(
        f"{node.path or node.name} ({node.operation}) is not an affine operation in a chain; a pseudo-inverse"
        " is defined for those only. Write preimage.invert(model, example) for a network"
    )
