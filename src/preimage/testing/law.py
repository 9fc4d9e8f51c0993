"""What every bijection must obey: the list of laws, and how a broken one is reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from preimage.errors import PreimageError
from preimage.testing.case import Case


class LawBrokenError(PreimageError, AssertionError):
    """A bijection broke one of the laws of its contract."""


@dataclass(frozen=True)
class Law:
    """One property that a bijection must have.

    Args:
        name: a few words, used in tables of exceptions.
        check: raises :class:`LawBrokenError` where the property fails.
        slow: whether it takes seconds per layer, and so belongs in the long test run.
    """

    name: str
    check: Callable[[Case], None]
    slow: bool = False


LAWS: dict[str, Law] = {}
"""Every law by name, in the order in which they are checked."""


def law(name: str, *, slow: bool = False) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    """Register a function as a law.

    Args:
        name: its name, unique.
        slow: whether it takes seconds per layer.

    Returns:
        A decorator that gives the function back.
    """

    def register(check: Callable[[Case], None]) -> Callable[[Case], None]:
        if name in LAWS:
            raise ValueError(f"law {name!r} exists already; give the new one another name")
        LAWS[name] = Law(name, check, slow)
        return check

    return register


def require(condition: object, message: str) -> None:
    """Break the law with this message unless the condition holds."""
    if not condition:
        raise LawBrokenError(message)


def require_close(actual: torch.Tensor, wanted: torch.Tensor, tolerance: float, what: str) -> None:
    """Require ``|actual - wanted| <= tolerance * (1 + |wanted|)``, elementwise."""
    require(actual.shape == wanted.shape, f"{what}: shape {tuple(actual.shape)}, not {tuple(wanted.shape)}")
    error = (actual.double() - wanted.double()).abs() / (1 + wanted.double().abs())
    if error.numel():
        worst = error.nan_to_num(nan=float("inf")).max().item()
        require(worst <= tolerance, f"{what}: relative error {worst:.2e}, allowed {tolerance:.2e}")
