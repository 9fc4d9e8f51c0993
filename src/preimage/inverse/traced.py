"""Ordinary code that happens to be bijective, as a Bijection with exact inverse and exact log_det."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from preimage.bijection import Bijection
from preimage.capture.export import capture
from preimage.capture.interpret import BATCH, evaluate
from preimage.checks import Context, as_tuple, unpack
from preimage.domains import Reals
from preimage.errors import NotInvertibleError
from preimage.inverse.checks import check_example
from preimage.inverse.context import RuleContext
from preimage.inverse.execute import execute
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.plan import plan
from preimage.inverse.step import solve_region

Tensors = Tensor | tuple[Tensor, ...]


@final
class Traced(Bijection):
    """The bijection that a plain ``nn.Module`` computes, with its inverse and log_det found by the planner.

    Couplings written with ``chunk``, ``exp``, ``mul`` and ``cat``, invertible matrices, monotone activations,
    permutations: the planner proves from the captured graph that every number of the output is used and every
    number of the input found by an exact step. The log_det is the sum over those steps: each replaces one
    operand by the result and leaves the others alone, so the Jacobian is block triangular.

    Args:
        model: a module in evaluation mode; its parameters are shared.
        example: one input ``(N, *event)``, or a tuple for several inputs.
        context: example of the conditioning input, the model's last argument; None without one.

    Raises:
        NotInvertibleError: when the module is not a bijection; the message names the step that loses
            information.
        CaptureError: when the module cannot be captured.

    Cost:
        forward: one forward pass and the log_det of each step; inverse: one plan.

    Example:
        >>> import torch
        >>> class Coupling(torch.nn.Module):
        ...     def forward(self, x):
        ...         a, b = x.chunk(2, dim=1)
        ...         return torch.cat([a, b * a.tanh().exp() + a], dim=1)
        >>> bijection = Traced(Coupling(), torch.zeros(1, 4))
        >>> x = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
        >>> torch.allclose(bijection.inverse(bijection(x)), x)
        True
        >>> torch.allclose(bijection.forward_and_log_det(x)[1], x[:, :2].tanh().sum(1))
        True
    """

    def __init__(self, model: nn.Module, example: Tensors, context: Context = None) -> None:
        super().__init__()
        inputs = check_example(example)
        conditions = () if context is None else as_tuple(context)
        self.model = model
        self.graph = capture(model, (*inputs, *conditions))
        self._sources = self.graph.inputs[: len(inputs)]
        self._conditions = self.graph.inputs[len(inputs) :]
        self._plan = plan(self.graph, self.graph.outputs, given=self._conditions)
        self._context = RuleContext(self.graph)
        self.domain = _reals([self.graph.shape(name) for name in self._sources])
        self.codomain = _reals([self.graph.shape(name) for name in self.graph.outputs])
        if self._conditions:
            self.context_domain = _reals([self.graph.shape(name) for name in self._conditions])
        self._refuse_loss()
        self._refuse_singular(inputs, conditions)

    def forward_and_log_det(self, x: Tensors, context: Context = None) -> tuple[Tensors, Tensor]:
        """The model's output, and the log_det of every step at the values it passed through."""
        values = dict(zip(self._sources, as_tuple(x), strict=True)) | self._given(context)
        names = [node.name for node in self.graph.nodes if node.inputs]
        values |= evaluate(self.graph, values, names)
        values[BATCH] = as_tuple(x)[0].shape[0]
        return self._outputs(values), -self._log_det(values)

    def inverse_and_log_det(self, y: Tensors, context: Context = None) -> tuple[Tensors, Tensor]:
        """The input that the model maps to y."""
        known = dict(zip(self.graph.outputs, as_tuple(y), strict=True)) | self._given(context)
        outcome = execute(self.graph, self._plan, known, self._context)
        x = unpack(tuple(outcome.values[name] for name in self._sources))
        return x, self._total(outcome.log_det, as_tuple(y)[0])

    def _given(self, context: Context) -> dict[str, Tensor]:
        return dict(zip(self._conditions, as_tuple(context), strict=True)) if self._conditions else {}

    def _outputs(self, values: Mapping[str, Any]) -> Tensors:
        return unpack(tuple(values[name] for name in self.graph.outputs))

    def _log_det(self, values: dict[str, Any]) -> Tensor:
        """The log_det of the way back, each step taken at the values of the way there."""
        total: Tensor | None = None
        for region in self._plan.regions:
            if region.kind != "gather":
                part = solve_region(self.graph, region, values, 0.0, self._context).log_det
                if part is None:
                    raise NotInvertibleError(
                        f"{region.label}: singular on the example, or too large for a determinant;"
                        " an invertible step was wanted"
                    )
                total = part if total is None else total + part
        return self._total(total, next(v for v in values.values() if isinstance(v, Tensor)))

    @staticmethod
    def _total(log_det: Tensor | None, like: Tensor) -> Tensor:
        return like.new_zeros(like.shape[0]) if log_det is None else log_det

    def _refuse_loss(self) -> None:
        lossy = [region for region in self._plan.regions if region.guarantee is not Guarantee.EXACT]
        if lossy:
            raise NotInvertibleError(
                f"not a bijection: {lossy[0].label or lossy[0].kind} is only {lossy[0].guarantee.value}."
                " A bijection was wanted; preimage.invert(model, example) inverts any network, with a ledger"
            )
        if self._plan.guarantee is not Guarantee.EXACT:
            raise NotInvertibleError(
                f"not a bijection: {self._plan.wanted_size} numbers go in, {self._plan.known_size} come out,"
                " or some outputs are functions of others. Use preimage.invert(model, example) instead"
            )

    def _refuse_singular(self, inputs: tuple[Tensor, ...], conditions: tuple[Tensor, ...]) -> None:
        """Run once on the example: a singular matrix shows only in its numbers."""
        with torch.no_grad():
            values: dict[str, Any] = dict(zip(self.graph.inputs, (*inputs, *conditions), strict=True))
            values |= evaluate(self.graph, values, [node.name for node in self.graph.nodes if node.inputs])
            values[BATCH] = next(iter(inputs)).shape[0]
            self._log_det(values)


def _reals(shapes: list[tuple[int, ...]]) -> Any:
    domains = tuple(Reals(*shape) if shape else Reals() for shape in shapes)
    return domains if len(domains) != 1 else next(iter(domains))
