"""Evidence for inverses: run the map forward again, and probe how much the answer wobbles."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from preimage.certificate import Certificate, OnError, enforce, relative_residual
from preimage.checks import Context, as_tuple, unpack
from preimage.errors import DomainError

if TYPE_CHECKING:
    from preimage.bijection import Bijection

Map = Callable[[Any, Context], Any]


def certified_inverse(
    bijection: Bijection,
    y: Any,
    context: Context = None,
    *,
    tolerance: float | None = None,
    on_error: OnError = "raise",
) -> tuple[Any, Certificate]:
    r"""The inverse of y with a certificate, so that a wrong answer is never silent.

    Three numbers per sample: the residual :math:`|f(x) - y| / |y|` of one forward pass; the distance of y
    from the range of the map; and an estimate of the relative error of x, twice the largest change of x when
    y moves by as much as f(x) is off, and y and what each layer of a chain hands to the next by four rounding
    errors, in four patterns of signs. A sample has converged when all three are within the tolerance and
    everything is finite.

    Args:
        bijection: the map f.
        y: what to invert, ``(N, *event)`` or a tuple of such tensors.
        context: as for ``bijection.inverse``.
        tolerance: largest relative residual and error, ``sqrt(eps)`` of the dtype by default (3.5e-4 in
            float32, 1.5e-8 in float64).
        on_error: what to do about samples that fail: ``"raise"``, ``"warn"``, or put ``"nan"`` in their rows.

    Returns:
        x, and the certificate.

    Raises:
        NotConvergedError: some sample failed, and ``on_error`` is ``"raise"``.

    Cost: five inverse passes and one forward pass.

    Example:
        >>> import torch
        >>> from preimage.layers import Affine
        >>> x, certificate = certified_inverse(Affine(2), torch.ones(1, 2))
        >>> certificate.ok
        True
    """
    x, violation = where_defined(bijection.inverse, y, context)
    with torch.no_grad():
        certificate = certify(bijection, x, y, context, tolerance=tolerance, violation=violation)
    what = f"{type(bijection).__name__}.inverse"
    first, *rest = as_tuple(x)
    first = enforce(first, certificate, on_error, what)
    if on_error == "nan":
        rest = [enforce(tensor, certificate, on_error, what) for tensor in rest]
    return unpack([first, *rest]), certificate


def certify(
    bijection: Bijection,
    x: Any,
    y: Any,
    context: Context = None,
    *,
    tolerance: float | None = None,
    violation: Tensor | None = None,
) -> Certificate:
    """The evidence that x is the inverse of y, whoever computed it; see :func:`certified_inverse`.

    Args:
        bijection: the map.
        x: the answer.
        y: the question.
        context: as for ``bijection.inverse``.
        tolerance: largest relative residual and error, ``sqrt(eps)`` of the dtype by default.
        violation: how far each row of y lies outside the range, ``(N,)``, where known.

    Returns:
        The certificate, one row per sample.
    """
    image, outside = where_defined(bijection.forward, x, context)
    residual = relative_residual(flat(image), flat(y))
    bound = 2 * _unrest(bijection, x, y, image, context)
    limit = torch.finfo(as_tuple(y)[0].dtype).eps ** 0.5 if tolerance is None else tolerance
    violation = outside if violation is None else torch.maximum(violation, outside)
    converged = (residual <= limit) & (bound <= limit) & (violation == 0) & flat(x).isfinite().all(1)
    return Certificate(
        residual=residual,
        converged=converged,
        error_bound=bound,
        domain_violation=violation,
        message=_message(residual, bound, violation, limit),
    )


def _unrest(bijection: Bijection, x: Any, y: Any, image: Any, context: Context) -> Tensor:
    """The largest relative change of x over four shaken inverses, of f(x) and of its mirror image about y."""
    mirrored = unpack(b + (b - a) for a, b in zip(as_tuple(image), as_tuple(y), strict=True))
    changes = []
    for start, pattern in zip((image, mirrored, image, mirrored), _patterns(), strict=True):
        shaken = partial(_shaken_inverse, bijection, pattern)
        changes.append(relative_residual(flat(where_defined(shaken, start, context)[0]), flat(x)))
    return torch.stack(changes).amax(0)


def _shaken_inverse(bijection: Bijection, pattern: Tensor, y: Any, context: Context) -> Any:
    """The inverse, with the argument of every layer moved: what a layer in between loses shows as well."""
    for step in bijection.inverse_steps():
        y = step.run(nudge(y, pattern), step.context(context))[0]
    return y


def _message(residual: Tensor, bound: Tensor, violation: Tensor, limit: float) -> str:
    reasons = {
        "values outside the range of the map": violation > 0,
        "f(x) differs from y": ~(residual <= limit) & (violation == 0),
        "x is ill-determined: rounding y changes it": ~(bound <= limit) & (residual <= limit),
    }
    return "; ".join(f"{why} ({int(rows.sum())} rows)" for why, rows in reasons.items() if rows.any())


def flat(tensors: Any) -> Tensor:
    """All values of a row side by side, ``(N, D)``."""
    rows = [tensor.flatten(1) if tensor.dim() > 1 else tensor[:, None] for tensor in as_tuple(tensors)]
    return torch.cat(rows, dim=1)


def nudge(tensors: Any, pattern: Tensor) -> Any:
    """Every value moved by four rounding errors, up or down as the repeated pattern of signs says."""
    return unpack(_nudge(tensor, pattern) for tensor in as_tuple(tensors))


def _nudge(tensor: Tensor, pattern: Tensor) -> Tensor:
    places = torch.arange(tensor.numel(), device=tensor.device) % len(pattern)
    sign = pattern.to(tensor)[places].view(tensor.shape)
    return tensor * (1 + 4 * torch.finfo(tensor.dtype).eps * sign)


def _patterns() -> Tensor:
    """Two irregular patterns of signs and two of one sign, ``(4, 13)``."""
    # Neighbours differ from the start, for events may be short.
    irregular = torch.tensor([1, -1, -1, 1, -1, 1, 1, -1, 1, -1, -1, 1, 1])
    return torch.stack([irregular, -irregular, torch.ones_like(irregular), -torch.ones_like(irregular)])


def where_defined(function: Map, value: Any, context: Context) -> tuple[Any, Tensor]:
    """Run a map on the rows inside its domain, and fill the others with NaN.

    Args:
        function: ``bijection.forward`` or ``bijection.inverse``.
        value: its argument, ``(N, ...)`` or a tuple of such.
        context: its context.

    Returns:
        The values, and how far each row lay outside ``(N,)``.
    """
    first = as_tuple(value)[0]
    try:
        return function(value, context), first.new_zeros(first.shape[0])
    except DomainError as error:
        if error.violation is None:
            raise
        outside = error.violation
    inside = outside == 0
    answer, later = where_defined(function, _rows(value, inside), _rows(context, inside))
    violation = outside.masked_scatter(inside, later)
    return unpack(_spread(tensor, inside) for tensor in as_tuple(answer)), violation


def _rows(tensors: Any, mask: Tensor) -> Any:
    return None if tensors is None else unpack(tensor[mask] for tensor in as_tuple(tensors))


def _spread(tensor: Tensor, mask: Tensor) -> Tensor:
    full = tensor.new_full((mask.shape[0], *tensor.shape[1:]), float("nan"))
    return full.index_put((mask,), tensor)
