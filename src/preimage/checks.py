"""The one place where the arguments of every bijection are checked.

Shapes, dtypes and devices are metadata: looking at them costs no synchronisation and survives
``torch.compile``, ``torch.export`` and ``torch.func``. Values are only looked at in eager mode, and only by
layers whose domain restricts them; inside a compiled graph a value outside the domain becomes NaN, which the
certificate of an inverse reports. NaN itself is never refused: it stays NaN, in its own row.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from preimage.domains import Domain
from preimage.errors import ContextError, DomainError, ShapeError
from preimage.functional.event import sum_event
from preimage.functional.visible import values_are_visible

Tensors = Tensor | tuple[Tensor, ...]
Context = Tensor | tuple[Tensor, ...] | None
Domains = Domain | tuple[Domain, ...]


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A tuple of one or more things."""
    return value if isinstance(value, tuple) else (value,)


def unpack(tensors: Iterable[Tensor]) -> Tensors:
    """The tuple rule of the library: a tuple if and only if there are two or more tensors."""
    found = tuple(tensors)
    return found[0] if len(found) == 1 else found


def check_tensors(where: str, word: str, value: Any, domains: Domains, reference: Tensor | None) -> None:
    """Refuse tensors of the wrong number, shape, dtype or device.

    Args:
        where: the layer and method, for the message.
        word: the argument, for the message.
        value: what came.
        domains: what is wanted.
        reference: a parameter whose dtype and device the tensors must share, if there is one.
    """
    wanted, came = as_tuple(domains), as_tuple(value)
    if len(came) != len(wanted) or (isinstance(value, tuple) and len(value) == 1):
        raise ShapeError(f"{where}: {word} holds {_count(value)}, wanted {_count(domains)}")
    for tensor, domain in zip(came, wanted, strict=True):
        _check_kind(where, word, tensor)
        _check_shape(where, word, tensor, domain)
        _check_like(where, word, tensor, reference)
    if any(tensor.shape[0] != came[0].shape[0] for tensor in came):
        batches = ", ".join(str(tensor.shape[0]) for tensor in came)
        raise ShapeError(
            f"{where}: {word} holds batches of {batches} rows, wanted one number of rows for all"
        )


def _count(value: object) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)} tensors"
    return "one tensor"


def _check_kind(where: str, word: str, tensor: Any) -> None:
    if not isinstance(tensor, Tensor):
        came = type(tensor).__name__
        raise ShapeError(f"{where}: {word} is {came}, wanted a tensor; write torch.as_tensor({word})")
    if not tensor.is_floating_point():
        raise ShapeError(
            f"{where}: {word} has dtype {tensor.dtype}, wanted float32 or float64; write {word}.float()"
        )
    if torch.finfo(tensor.dtype).bits < 32:
        raise ShapeError(
            f"{where}: {word} has dtype {tensor.dtype}, wanted float32 or float64, because with"
            f" so few digits no inverse is usable; write {word}.float(), and torch.autocast for fast networks"
        )


def _check_shape(where: str, word: str, tensor: Tensor, domain: Domain) -> None:
    if tensor.dim() == 0 or not domain.fits(tensor.shape[1:]):
        came = tuple(tensor.shape)
        raise ShapeError(f"{where}: {word} has shape {came}, wanted {domain.describe_shape()}")


def _check_like(where: str, word: str, tensor: Tensor, reference: Tensor | None) -> None:
    if reference is None:
        return
    if tensor.device != reference.device:
        raise ShapeError(
            f"{where}: {word} is on {tensor.device}, but the layer is on {reference.device};"
            f" write {word}.to({str(reference.device)!r})"
        )
    autocasts = torch.is_autocast_enabled(tensor.device.type)
    if tensor.dtype != reference.dtype and not autocasts:
        raise ShapeError(
            f"{where}: {word} has dtype {tensor.dtype}, but the layer holds {reference.dtype};"
            f" write {word}.to({reference.dtype}) or convert the layer with .to({tensor.dtype})"
        )


def check_values(where: str, word: str, value: Tensors, domains: Domains) -> None:
    """Refuse values outside the domain, naming the domain, how many there are and the worst one."""
    for tensor, domain in zip(as_tuple(value), as_tuple(domains), strict=True):
        if not domain.restricts_values or not values_are_visible():
            continue
        outside = domain.outside(tensor)
        if outside.any():
            raise _domain_error(where, word, tensor, domain, outside)


def _domain_error(where: str, word: str, tensor: Tensor, domain: Domain, outside: Tensor) -> DomainError:
    example = tensor.detach()[outside][0].item()
    rows = int(outside.flatten(1).any(1).sum()) if outside.dim() > 1 else int(outside.sum())
    return DomainError(
        f"{where}: {word} must lie in {domain}, but {int(outside.sum())} values in {rows} of"
        f" {tensor.shape[0]} rows do not, such as {example:.9g}; clamp them, or use certified_inverse(...,"
        ' on_error="nan") to get NaN for those rows only',
        violation=sum_event(domain.violation(tensor.detach())),
    )


def check_context(where: str, context: Any, domains: Domains | None, batch: int) -> None:
    """Refuse a context that is missing, superfluous, of the wrong shape or of another batch size."""
    if domains is None:
        if context is not None:
            raise ContextError(f"{where}: got a context, but this layer takes none; leave context out")
        return
    if context is None:
        shapes = ", ".join(domain.describe_shape() for domain in as_tuple(domains))
        raise ContextError(f"{where}: context is missing; write context=c with c of shape {shapes}")
    wanted, came = as_tuple(domains), as_tuple(context)
    if len(wanted) != len(came):
        raise ContextError(f"{where}: context holds {_count(context)}, wanted {_count(domains)}")
    for tensor, domain in zip(came, wanted, strict=True):
        if not isinstance(tensor, Tensor):
            raise ContextError(f"{where}: context is {type(tensor).__name__}, wanted a tensor")
        _check_shape(where, "context", tensor, domain)
        if tensor.shape[0] != batch:
            raise ShapeError(
                f"{where}: context has {tensor.shape[0]} rows, the input {batch}; wanted one context row per"
                " sample, write context.expand(len(x), ...)"
            )


def check_log_det(where: str, log_det: Tensor, batch: int) -> None:
    """Refuse a layer that returns a log_det of the wrong shape: the commonest mistake of a new layer."""
    if log_det.shape != (batch,):
        raise ShapeError(
            f"{where} returned a log_det of shape {tuple(log_det.shape)}, wanted ({batch},): one number per"
            " sample; write preimage.functional.sum_event(...)"
        )


def reference_tensor(module: nn.Module) -> Tensor | None:
    """The first floating-point parameter or buffer of a module, or None."""
    candidates = itertools.chain(module.parameters(), module.buffers())
    return next((tensor for tensor in candidates if tensor.is_floating_point()), None)


def promote_under_autocast(x: Any) -> Any:
    """Half-precision tensors as float32 while autocast is on; anything else unchanged."""
    if isinstance(x, tuple):
        return tuple(promote_under_autocast(tensor) for tensor in x)
    if not isinstance(x, Tensor) or x.dtype not in (torch.float16, torch.bfloat16):
        return x
    return x.float() if torch.is_autocast_enabled(x.device.type) else x


def exact_arithmetic(x: Tensors) -> contextlib.AbstractContextManager[Any]:
    """Autocast switched off where it is on: half-precision products have no usable inverse."""
    device = as_tuple(x)[0].device.type
    if torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return contextlib.nullcontext()
