"""Operations whose result is drawn anew at every call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import fx

from preimage.errors import NotInvertibleError

CHANCE = frozenset(
    {
        "rand", "randn", "rand_like", "randn_like", "randint", "randint_like", "randperm", "bernoulli",
        "normal", "multinomial", "uniform", "exponential", "poisson", "random", "normal_functional",
    }
)  # fmt: skip
"""Operations whose result is drawn anew at every call."""


def refuse_chance(operation: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], node: fx.Node) -> None:
    """Dropout that was called with training=True is no function of its input, nor is anything drawn."""
    if operation in CHANCE:
        raise NotInvertibleError(
            f"{node.name} draws random numbers ({operation}), so that the network has no fixed output; a"
            " fixed network was wanted: draw them once and keep them in a buffer, or pass them as an input"
        )
    if operation == "scaled_dot_product_attention" and (args[4:5] or (kwargs.get("dropout_p"),))[0]:
        raise NotInvertibleError(
            f"{node.name} is attention with dropout, whose output depends on chance; a fixed network was"
            " wanted: pass dropout_p=self.dropout if self.training else 0.0, and call model.eval()"
        )
    if "dropout" in operation and len(args) > 2 and args[2] and args[1]:
        raise NotInvertibleError(
            f"{node.name} is dropout with training=True, whose output depends on chance; a fixed network was"
            " wanted: call model.eval(), and pass training=self.training"
        )
