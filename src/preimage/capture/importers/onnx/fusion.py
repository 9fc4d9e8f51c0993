"""Activations that files spell out, put together again.

Older operator sets have no GELU, swish, hard swish or Mish and write them as several nodes. Taken apart they
are a product of two values that depend on each other; together they are one activation with known inverses.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, final

Scalar = Callable[[str], float | None]
GATES = {"Sigmoid": "Swish", "HardSigmoid": "HardSwish"}


def fuse(nodes: list[Any], scalar: Scalar, outputs: set[str]) -> list[Any]:
    """Replace spelt-out activations.

    Args:
        nodes: in order.
        scalar: the value of a constant of one number, by name.
        outputs: names that must stay computed.

    Returns:
        Nodes in order; the parts of an activation are gone where nothing else reads them.
    """
    return _Fusion(nodes, scalar, outputs).run()


@final
class _Fusion:
    """Looks for products, backwards from each."""

    def __init__(self, nodes: list[Any], scalar: Scalar, outputs: set[str]) -> None:
        self.nodes, self.scalar, self.outputs = nodes, scalar, outputs
        self.made = {name: node for node in nodes for name in node.output}

    def run(self) -> list[Any]:
        found = [self._replaced(node) for node in self.nodes]
        needed = Counter(name for node in found for name in node.input)
        kept: list[Any] = []
        for node in reversed(found):
            if any(needed[name] or name in self.outputs for name in node.output):
                kept.append(node)
            else:
                needed.subtract(node.input)
        return kept[::-1]

    def _replaced(self, node: Any) -> Any:
        if node.op_type != "Mul":
            return node
        return self._gated(node) or self._mish(node) or self._gelu(node) or node

    def _gated(self, node: Any) -> Any:
        """``x sigmoid(x)`` and ``x hard_sigmoid(x)``."""
        for x, gate in _both_ways(node):
            part = self.made.get(gate)
            if part is None or part.op_type not in GATES or part.input[0] != x:
                continue
            if part.op_type == "Sigmoid" or self._is_sixth(part):
                return _activation(GATES[part.op_type], x, node)
        return None

    @staticmethod
    def _is_sixth(node: Any) -> bool:
        given = {a.name: a.f for a in node.attribute}
        return math.isclose(given.get("alpha", 0.2), 1 / 6, rel_tol=1e-5) and given.get("beta", 0.5) == 0.5

    def _mish(self, node: Any) -> Any:
        """``x tanh(softplus(x))``."""
        for x, gate in _both_ways(node):
            tanh = self.made.get(gate)
            soft = self.made.get(tanh.input[0]) if tanh is not None and tanh.op_type == "Tanh" else None
            if soft is not None and soft.op_type == "Softplus" and soft.input[0] == x:
                return _activation("Mish", x, node)
        return None

    def _gelu(self, node: Any) -> Any:
        """``x (1 + erf(x / sqrt 2)) / 2``, multiplied in any order."""
        factors, number = self._factors(node.output[0], 3)
        for position, name in enumerate(factors):
            x = self._one_plus_erf(name)
            rest = [f for i, f in enumerate(factors) if i != position]
            if x is not None and rest == [x] and math.isclose(number, 0.5, rel_tol=1e-5):
                return _activation("Gelu", x, node)
        return None

    def _factors(self, name: str, depth: int) -> tuple[list[str], float]:
        """A product as the names that are multiplied and the product of its numbers."""
        number, node = self.scalar(name), self.made.get(name)
        if number is not None:
            return [], number
        if node is None or depth == 0 or node.op_type not in ("Mul", "Div"):
            return [name], 1.0
        left, a = self._factors(node.input[0], depth - 1)
        right, b = self._factors(node.input[1], depth - 1)
        if node.op_type == "Div":
            return ([name], 1.0) if right or not b else (left, a / b)
        return [*left, *right], a * b

    def _one_plus_erf(self, name: str) -> str | None:
        """x where the value is ``1 + erf(x / sqrt 2)``."""
        added = self.made.get(name)
        if added is None or added.op_type != "Add":
            return None
        for one, part in _both_ways(added):
            erf = self.made.get(part)
            if self.scalar(one) == 1.0 and erf is not None and erf.op_type == "Erf":
                factors, number = self._factors(erf.input[0], 2)
                if len(factors) == 1 and math.isclose(number, math.sqrt(0.5), rel_tol=1e-4):
                    return factors[0]
        return None


def _both_ways(node: Any) -> Sequence[tuple[str, str]]:
    a, b = node.input
    return (a, b), (b, a)


def _activation(kind: str, x: str, product: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, [x], list(product.output), name=product.name)
