"""Bijections of this library inside a network: taken whole, by their own inverse."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.capture.graph import Graph, Node
from preimage.certificate import Certificate, relative_residual
from preimage.certify import where_defined
from preimage.domains import Reals
from preimage.inverse.planning.guarantee import Guarantee
from preimage.inverse.planning.ruled import module_at, rule_at
from preimage.inverse.registry import Site, Solved, register_inverse


def _promise(graph: Graph, node: Node) -> Guarantee:
    """Exact where every value has an inverse; else a value outside the range has none."""
    modules = (module_at(graph, path) for path in node.stack if rule_at(graph, path) is not None)
    bijections = (module for module in modules if isinstance(module, Bijection))
    everywhere = all(isinstance(module.codomain, Reals) for module in bijections)
    return Guarantee.EXACT if everywhere else Guarantee.LEFT


@register_inverse(Bijection, guarantee=_promise)
def bijection(site: Site, y: Tensor) -> Solved:
    """``x = f^-1(y)`` with its log_det; zeros, and a certificate that failed, where y is out of range."""
    module = cast(Bijection, site.module)
    (x, log_det), violation = where_defined(module.inverse_and_log_det, y, None)
    missing = violation > 0
    x = x.masked_fill(missing.view(-1, *[1] * (x.dim() - 1)), 0.0)
    with torch.no_grad():
        residual = relative_residual(where_defined(module.forward, x, None)[0], y)
    found = residual <= torch.finfo(residual.dtype).eps ** 0.5
    message = "y lies outside the range of the map" if bool(missing.any()) else ""
    certificate = Certificate(residual, found, domain_violation=violation, message=message)
    return Solved(x, log_det, certificate, exact=float(found.float().mean()))
