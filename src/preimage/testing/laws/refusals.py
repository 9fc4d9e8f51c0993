"""Wrong arguments are refused by an error of this library."""

from __future__ import annotations

from typing import Any

from preimage.checks import as_tuple
from preimage.errors import ShapeError
from preimage.testing.case import Case, Run, convert
from preimage.testing.law import LawBrokenError, law, require


@law("wrong arguments")
def wrong_arguments(case: Case) -> None:
    """Integers, lists, other precisions and a scalar raise a ShapeError that names the layer."""
    for run, value in case.directions().values():
        _require_refusal(case, run, convert(value, lambda tensor: tensor.long()), "integers")
        _require_refusal(case, run, as_tuple(value)[0].tolist(), "a list")
        _require_refusal(case, run, convert(value, lambda tensor: tensor.sum()), "a scalar")
        if any(parameter.is_floating_point() for parameter in case.layer.parameters()):
            _require_refusal(case, run, convert(value, lambda tensor: tensor.float()), "another precision")


def _require_refusal(case: Case, run: Run, value: Any, what: str) -> None:
    try:
        run(value, case.context)
    except ShapeError as error:
        require("wanted" in str(error) or "but the layer holds" in str(error), f"unclear message: {error}")
        return
    raise LawBrokenError(f"{what} is not refused")
