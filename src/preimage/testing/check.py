"""The checker: every law on one bijection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import preimage.testing.laws  # noqa: F401  (registers the laws)
from preimage.bijection import Bijection
from preimage.checks import Context
from preimage.testing.case import Case, convert
from preimage.testing.law import LAWS, LawBrokenError


def check_bijection(
    layer: Bijection,
    x: Any,
    context: Context = None,
    *,
    tolerance: float = 1.0,
    exceptions: Mapping[str, str] | None = None,
    slow: bool = False,
) -> dict[str, str]:
    """Check that a bijection keeps every law of the contract.

    The layer is copied and checked in float64; it is not changed. Give it parameters that are not zero, and
    an input of a few rows with at most some tens of values each.

    Args:
        layer: the bijection, your own or one of the library's.
        x: an input ``(N, *event)`` with N >= 2, or a tuple of such.
        context: a context ``(N, ...)``, for layers that take one.
        tolerance: factor on every tolerance; 1 for closed forms, more for solvers.
        exceptions: laws to leave out, by name, each with a reason.
        slow: whether to include the laws that take seconds, such as compiling to machine code.

    Returns:
        The laws by name, each with ``"holds"`` or the reason for which it was left out.

    Raises:
        LawBrokenError: one or more laws do not hold; the message lists all of them.
        ValueError: an exception names a law that does not exist.

    Cost: about a second, mostly for the compiler; D passes for an event of D values.

    Example:
        >>> import torch
        >>> from preimage.layers import LeakyReLU
        >>> report = check_bijection(LeakyReLU(0.3), torch.randn(3, 4))
        >>> set(report.values())
        {'holds'}
    """
    left_out = dict(exceptions or {})
    if unknown := left_out.keys() - LAWS.keys():
        raise ValueError(f"no law is called {sorted(unknown)}; the laws are {sorted(LAWS)}")
    double = lambda tensor: tensor.detach().double()  # noqa: E731
    case = Case(layer, x, context, tolerance).fresh()
    case = Case(case.layer.double(), convert(case.x, double), convert(case.context, double), tolerance)
    wanted = {name: law for name, law in LAWS.items() if name not in left_out and (slow or not law.slow)}
    broken = {name: why for name, law in wanted.items() if (why := _try(law.check, case))}
    if broken:
        lines = "\n".join(f"  {name}: {why}" for name, why in broken.items())
        raise LawBrokenError(f"{type(layer).__name__} breaks {len(broken)} of {len(wanted)} laws:\n{lines}")
    return dict.fromkeys(wanted, "holds") | left_out


def _try(check: Any, case: Case) -> str:
    """What is wrong, or nothing."""
    try:
        check(case.fresh())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
