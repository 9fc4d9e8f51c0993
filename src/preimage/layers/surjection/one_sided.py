"""Base class of maps that can be undone on one side only."""

from __future__ import annotations

import abc
from typing import Any, Literal

import torch
from torch import nn

from preimage import checks
from preimage.certificate import Certificate, OnError, enforce, relative_residual
from preimage.certify import flat
from preimage.checks import Domains, as_tuple, unpack
from preimage.domains import Reals

Side = Literal["left", "right"]


class OneSided(nn.Module, abc.ABC):
    r"""A map f with an inverse g that keeps one of the two laws of a bijection, and says which.

    ========  ==================  =====================================================================
    side      law                 what it means
    ========  ==================  =====================================================================
    "left"    g(f(x)) = x         f lost nothing, but does not reach every y: g projects such a y
    "right"   f(g(y)) = y         f reaches every y, but lost something: g(y) is *a* preimage
    ========  ==================  =====================================================================

    There is no log_det: the map is not square. Subclasses write ``side``, ``forward_values`` and
    ``inverse_values``, and may state ``domain`` and ``codomain`` as a :class:`~preimage.bijection.Bijection`
    does.

    Example:
        >>> import torch
        >>> class Repeat(OneSided):
        ...     side = "left"
        ...     def forward_values(self, x):
        ...         return torch.cat([x, x], dim=1)
        ...     def inverse_values(self, y):
        ...         return (y[:, ::2] + y[:, 1::2]) / 2
        >>> repeat = Repeat()
        >>> repeat.inverse(repeat(torch.ones(1, 1)))
        tensor([[1.]])
        >>> repeat.certified_inverse(torch.tensor([[0.0, 1.0]]), on_error="nan")[0]
        tensor([[nan]])
    """

    domain: Domains = Reals()
    """What ``forward`` takes."""
    codomain: Domains = Reals()
    """What ``inverse`` takes."""

    @property
    @abc.abstractmethod
    def side(self) -> Side:
        """Which law holds, see above."""

    @abc.abstractmethod
    def forward_values(self, x: Any) -> Any:
        """f(x), for checked arguments."""

    @abc.abstractmethod
    def inverse_values(self, y: Any) -> Any:
        """g(y), for checked arguments."""

    def forward(self, x: Any) -> Any:
        """f(x); a tensor ``(N, *event)`` or a tuple of tensors."""
        return self.forward_values(self._checked("forward", "x", x, self.domain))

    def inverse(self, y: Any) -> Any:
        """g(y); a tensor ``(N, *event)`` or a tuple of tensors."""
        return self.inverse_values(self._checked("inverse", "y", y, self.codomain))

    def condition(self) -> float | None:
        """Condition number of the map, where it is linear."""
        return None

    def nullity(self) -> int | None:
        """Dimension of the set of all x with the same f(x), where known."""
        return 0 if self.side == "left" else None

    def certified_inverse(
        self, y: Any, *, tolerance: float | None = None, on_error: OnError = "raise"
    ) -> tuple[Any, Certificate]:
        r"""g(y) with its residual :math:`|f(g(y)) - y| / |y|`.

        For a left inverse the residual says how far y lies from the values of f.

        Args:
            y: what to invert, ``(N, *event)``.
            tolerance: largest residual, and largest rounding error ``eps * condition`` where the condition is
                known; ``sqrt(eps)`` of the dtype by default.
            on_error: what to do about samples that fail: ``"raise"``, ``"warn"``, or ``"nan"``.

        Returns:
            x, and the certificate.

        Raises:
            NotConvergedError: some sample failed, and ``on_error`` is ``"raise"``.

        Cost: one inverse and one forward pass, and the condition number.
        """
        x = self.inverse(y)
        with torch.no_grad():
            certificate = self._certify(x, y, tolerance)
        first, *rest = as_tuple(x)
        what = f"{type(self).__name__}.inverse"
        first = enforce(first, certificate, on_error, what)
        return unpack([first, *(enforce(t, certificate, on_error, what) for t in rest)]), certificate

    def _certify(self, x: Any, y: Any, tolerance: float | None) -> Certificate:
        residual = relative_residual(flat(self.forward(x)), flat(y))  # (N,)
        eps = torch.finfo(residual.dtype).eps
        limit = eps**0.5 if tolerance is None else tolerance
        condition, nullity = self.condition(), self.nullity()
        bound = 0.0 if condition is None else eps * condition
        return Certificate(
            residual=residual,
            converged=(residual <= limit) & (bound <= limit) & flat(x).isfinite().all(1),
            condition=residual.new_full(residual.shape, float("nan") if condition is None else condition),
            nullity=residual.new_full(residual.shape, -1 if nullity is None else nullity).long(),
            message=""
            if bound <= limit
            else f"the map is close to singular: condition number {condition:.2e}",
        )

    def _checked(self, method: str, word: str, value: Any, domains: Domains) -> Any:
        where = f"{type(self).__name__}.{method}"
        checks.check_tensors(where, word, value, domains, checks.reference_tensor(self))
        checks.check_values(where, word, value, domains)
        return value
