"""The contract that every invertible layer keeps: two methods to write, everything else derived here."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from preimage import certify, checks
from preimage.bijection.step import Step
from preimage.certificate import Certificate, OnError
from preimage.checks import Context, Domains
from preimage.domains import Reals
from preimage.rebuild import Rebuilt, rebuild
from preimage.transforms import BijectionTransform

if TYPE_CHECKING:
    from preimage.bijection.chain import Chain

Method = Callable[..., tuple[Any, Tensor]]


def _checked(method: Method, word: str) -> Method:
    """Wrap one direction of a layer: check what comes in, keep autocast out, check the log_det."""

    @functools.wraps(method)
    def run(self: Bijection, x: Any, context: Any = None) -> tuple[Any, Tensor]:
        where = f"{type(self).__name__}.{method.__name__}"
        x = checks.promote_under_autocast(x)
        domains = self.domain if word == "x" else self.codomain
        checks.check_tensors(where, word, x, domains, checks.reference_tensor(self))
        batch = checks.as_tuple(x)[0].shape[0]
        checks.check_context(where, context, self.context_domain, batch)
        checks.check_values(where, word, x, domains)
        if self.autocasts_inside:
            answer, log_det = method(self, x, context)
        else:
            with checks.exact_arithmetic(x):
                answer, log_det = method(self, x, checks.promote_under_autocast(context))
        checks.check_log_det(where, log_det, batch)
        return answer, log_det

    return run


class Bijection(nn.Module, abc.ABC):
    r"""A differentiable map with an exact inverse and a known log-determinant.

    ``forward`` goes from data to latent, ``inverse`` from latent to data. Dimension 0 is the batch, the rest
    is the event. A layer states where it is defined (``domain``), which values it produces (``codomain``) and
    whether it needs a context, and writes two methods; the arguments of both are checked for it.

    The log_det belongs to the direction just run,

    .. math:: \text{log\_det}_n = \log\left|\det \frac{\partial f(x_n)}{\partial x_n}\right|,

    a natural logarithm of shape ``(N,)``, in the dtype of the input, float32 or better.

    Example:
        >>> import torch
        >>> class Double(Bijection):
        ...     def forward_and_log_det(self, x, context=None):
        ...         return 2 * x, torch.full_like(x[:, 0], x.shape[1] * math.log(2))
        ...     def inverse_and_log_det(self, y, context=None):
        ...         return y / 2, torch.full_like(y[:, 0], -y.shape[1] * math.log(2))
        >>> import math
        >>> double = Double()
        >>> double.inv(double(torch.ones(1, 3)))
        tensor([[1., 1., 1.]])
        >>> double.inv.inv is double
        True
    """

    domain: Domains = Reals()
    """What ``forward`` takes: a :class:`~preimage.domains.Domain`, or a tuple of them for several tensors."""
    codomain: Domains = Reals()
    """What ``inverse`` takes."""
    context_domain: Domains | None = None
    """What the context must look like; None where the layer takes none."""
    autocasts_inside: ClassVar[bool] = False
    """Whether the layer may run under autocast because it keeps its own arithmetic in float32 or better."""
    _delegates: ClassVar[bool] = False

    def __init_subclass__(cls, delegates: bool = False, **kwargs: Any) -> None:
        """Wrap both methods of every subclass in the checks.

        Args:
            delegates: True for containers whose members check their own arguments.
            kwargs: for cooperating base classes.
        """
        super().__init_subclass__(**kwargs)
        if delegates:
            return
        for name, word in (("forward_and_log_det", "x"), ("inverse_and_log_det", "y")):
            method = cls.__dict__.get(name)
            if method is not None and not getattr(method, "__isabstractmethod__", False):
                setattr(cls, name, _checked(method, word))

    @abc.abstractmethod
    def forward_and_log_det(self, x: Any, context: Context = None) -> tuple[Any, Tensor]:
        """Run data -> latent.

        Args:
            x: tensor ``(N, *event)``, or a tuple of tensors where the layer has several inputs.
            context: conditioning tensor or tuple of tensors, ``(N, ...)``; only for layers that take one.

        Returns:
            The latent tensor(s), and the log_det of this direction ``(N,)``.
        """

    @abc.abstractmethod
    def inverse_and_log_det(self, y: Any, context: Context = None) -> tuple[Any, Tensor]:
        """Run latent -> data; arguments and returns as in :meth:`forward_and_log_det`, mirrored."""

    def forward(self, x: Any, context: Context = None) -> Any:
        """The latent tensor(s) alone, so that hooks, ``nn.Sequential`` and DDP work."""
        return self.forward_and_log_det(x, context)[0]

    def inverse(self, y: Any, context: Context = None) -> Any:
        """The data tensor(s) alone."""
        return self.inverse_and_log_det(y, context)[0]

    def rebuild_forward(self, y: Any, context: Context = None) -> Rebuilt:
        """Recompute from y what autograd would have kept of the forward run.

        A layer whose two directions share work, such as a coupling, may do that work once by overriding this.
        """
        return rebuild(self.forward_and_log_det, self.inverse_and_log_det, y, context)

    def rebuild_inverse(self, x: Any, context: Context = None) -> Rebuilt:
        """The same for the inverse run, from its result x."""
        return rebuild(self.inverse_and_log_det, self.forward_and_log_det, x, context)

    def forward_steps(self) -> list[Step]:
        """What ``forward`` does, one step a layer; containers list their members."""
        return [Step(self.forward_and_log_det, self.rebuild_forward, self)]

    def inverse_steps(self) -> list[Step]:
        """What ``inverse`` does, one step a layer."""
        return [Step(self.inverse_and_log_det, self.rebuild_inverse, self)]

    @property
    def inv(self) -> Bijection:
        """This map with its directions swapped: a view that shares the parameters; ``b.inv.inv is b``."""
        return Inverted(self)

    def certified_inverse(
        self, y: Any, context: Context = None, *, tolerance: float | None = None, on_error: OnError = "raise"
    ) -> tuple[Any, Certificate]:
        """Run latent -> data and prove it, see :func:`preimage.certify.certified_inverse`."""
        return certify.certified_inverse(self, y, context, tolerance=tolerance, on_error=on_error)

    def as_transform(
        self, context: Context = None, event_dim: int | None = None
    ) -> torch.distributions.Transform:
        """This map for ``torch.distributions``, see :class:`preimage.transforms.BijectionTransform`."""
        return BijectionTransform(self, context, event_dim)

    def __matmul__(self, other: Bijection) -> Chain:
        """``a @ b`` runs a first, then b."""
        from preimage.bijection.chain import Chain  # a chain is itself a bijection

        return Chain(self, other)


class Inverted(Bijection, delegates=True):
    """A bijection with its directions swapped; what ``b.inv`` returns.

    Args:
        bijection: the map to swap; its parameters are shared.

    Example:
        >>> from preimage.layers import LeakyReLU
        >>> layer = LeakyReLU()
        >>> isinstance(layer.inv, Inverted), layer.inv.inv is layer
        (True, True)
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection
        self.domain, self.codomain = bijection.codomain, bijection.domain
        self.context_domain = bijection.context_domain

    def forward_and_log_det(self, x: Any, context: Context = None) -> tuple[Any, Tensor]:
        """The inverse of the inner map."""
        return self.bijection.inverse_and_log_det(x, context)

    def inverse_and_log_det(self, y: Any, context: Context = None) -> tuple[Any, Tensor]:
        """The inner map."""
        return self.bijection.forward_and_log_det(y, context)

    def forward_steps(self) -> list[Step]:
        """The inner map's inverse steps."""
        return self.bijection.inverse_steps()

    def inverse_steps(self) -> list[Step]:
        """The inner map's forward steps."""
        return self.bijection.forward_steps()

    @property
    def inv(self) -> Bijection:
        """The inner map itself."""
        return self.bijection
