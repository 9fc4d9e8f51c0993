"""The views of a bijection show the same map."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from preimage.checks import as_tuple
from preimage.testing.case import Case, flat
from preimage.testing.law import law, require, require_close


@law("inverse view")
def inverse_view(case: Case) -> None:
    """``b.inv.inv is b``, and ``b.inv`` runs b backwards with the same parameters."""
    view = case.layer.inv
    require(view.inv is case.layer or view.inv.inv is view, "b.inv.inv is not b")
    wanted, wanted_log_det = case.layer.inverse_and_log_det(case.y, case.context)
    actual, log_det = view.forward_and_log_det(case.y, case.context)
    require(torch.equal(flat(actual), flat(wanted)), "b.inv(y) differs from b.inverse(y)")
    require(torch.equal(log_det, wanted_log_det), "the log_det of b.inv differs")
    mine, theirs = set(map(id, case.layer.parameters())), set(map(id, view.parameters()))
    require(mine == theirs, "b.inv does not share its parameters")


@law("forward agrees")
def forward_agrees(case: Case) -> None:
    """``b(x)`` and ``b.inverse(y)`` are the values of the two methods."""
    require(
        torch.equal(
            flat(case.layer(case.x, case.context)),
            flat(case.layer.forward_and_log_det(case.x, case.context)[0]),
        ),
        "b(x) differs from forward_and_log_det",
    )
    back = case.layer.inverse(case.y, case.context)
    wanted = case.layer.inverse_and_log_det(case.y, case.context)[0]
    require(torch.equal(flat(back), flat(wanted)), "b.inverse(y) differs from inverse_and_log_det")


@law("torch.distributions")
def transform(case: Case) -> None:
    """``as_transform`` agrees in values, log_det, shapes and inverse; for maps of one tensor."""
    if isinstance(case.x, tuple) or isinstance(case.y, tuple):
        return
    transform = case.layer.as_transform(case.context, event_dim=case.x.dim() - 1)
    y, log_det = case.layer.forward_and_log_det(case.x, case.context)
    mapped = cast(Tensor, transform(case.x))
    require(torch.equal(mapped, y), "transform(x) differs")
    require_close(transform.log_abs_det_jacobian(case.x, mapped), log_det, 1e-12, "log_abs_det_jacobian")
    require_close(cast(Tensor, transform.inv(y)), case.layer.inverse(y, case.context), 1e-12, "transform.inv")
    require(transform.forward_shape(case.x.shape) == y.shape, "forward_shape")
    require(transform.inverse_shape(y.shape) == case.x.shape, "inverse_shape")
    require(transform.inv.inv is transform, "transform.inv.inv is not transform")


@law("tuple rule")
def tuples(case: Case) -> None:
    """A tuple comes out if and only if there are two or more tensors."""
    for name, (run, value) in case.directions().items():
        answer = run(value, case.context)[0]
        require(
            not isinstance(answer, tuple) or len(as_tuple(answer)) > 1, f"{name} answers with a tuple of one"
        )
