"""Side outputs and losses of a pass, collected without touching the layers in between."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from preimage.bijection import Bijection
from preimage.checks import Context, values_are_visible
from preimage.functional.event import zero_log_det

_open: ContextVar[tuple[Recording, ...]] = ContextVar("preimage_recordings", default=())


class Records:
    """What passed in one direction.

    Args:
        values: side outputs by name, each a list with one entry per pass ``(N, ...)``.
        losses: losses by name, each a list with one entry per pass ``(N,)``.

    Example:
        >>> Records().values
        {}
    """

    def __init__(self) -> None:
        self.values: dict[str, list[Tensor]] = {}
        self.losses: dict[str, list[Tensor]] = {}

    @property
    def loss(self) -> Tensor:
        """The sum of all losses ``(N,)``; 0 where none was recorded."""
        found = [loss for losses in self.losses.values() for loss in losses]
        return torch.stack(found).sum(0) if found else torch.zeros(())


class Recording:
    """Collects what :class:`Tap` and :class:`TapLoss` layers see while it is open, in both directions.

    Recordings may be nested: every open one gets everything. They belong to the thread, or asyncio task, that
    opened them. What was recorded stays readable afterwards, and keeps its gradient. Inside compiled,
    exported or ``torch.func`` code nothing is recorded; with ``Chain(memory="reversible")`` the recorded
    tensors carry no gradient.

    Reference: context variables: Selivanov (2018), PEP 567, https://peps.python.org/pep-0567/

    Cost: one append per layer and pass; the recorded tensors are not copied.

    Example:
        >>> import torch
        >>> from preimage import Chain
        >>> from preimage.layers import LeakyReLU
        >>> net = Chain(LeakyReLU(0.5), Tap("hidden"), LeakyReLU(0.5))
        >>> with Recording() as recording:
        ...     y = net(torch.tensor([[-4.0]]))
        >>> recording.forward.values
        {'hidden': [tensor([[-2.]])]}
    """

    def __init__(self) -> None:
        self.forward, self.inverse = Records(), Records()
        self._tokens: list[Token[tuple[Recording, ...]]] = []

    def __enter__(self) -> Self:
        self._tokens.append(_open.set((*_open.get(), self)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _open.reset(self._tokens.pop())


def open_recordings() -> tuple[Recording, ...]:
    """The recordings that want to know what passes here; none inside compiled or transformed code."""
    return _open.get() if values_are_visible() else ()


class Tap(Bijection):
    """The identity, :math:`y = x`, which shows what passes to the open :class:`Recording`; log_det is 0.

    Reference: Alain, Bengio (2017), linear classifier probes, https://arxiv.org/abs/1610.01644

    Args:
        name: under which name the value is recorded.

    Returns:
        x itself, and log_det ``(N,)`` of zeros.

    Cost: none.

    Example:
        >>> import torch
        >>> with Recording() as recording:
        ...     x = Tap("latent").inverse(torch.zeros(1, 2))
        >>> recording.inverse.values["latent"]
        [tensor([[0., 0.]])]
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Show x."""
        for recording in open_recordings():
            recording.forward.values.setdefault(self.name, []).append(x)
        return x, zero_log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Show y."""
        for recording in open_recordings():
            recording.inverse.values.setdefault(self.name, []).append(y)
        return y, zero_log_det(y)


class TapLoss(Bijection):
    """The identity, :math:`y = x`, which records a loss of what passes, in both directions; log_det is 0.

    For penalties on inner values, such as on numbers that leave a range. The loss is computed only while a
    :class:`Recording` is open.

    Reference: activity regularisation as in Merity, McCann, Socher (2017), https://arxiv.org/abs/1708.01009

    Args:
        name: under which name the loss is recorded.
        loss: function of a tensor ``(N, ...)`` that returns one loss per row ``(N,)``.

    Returns:
        x itself, and log_det ``(N,)`` of zeros.

    Cost: that of the loss.

    Example:
        >>> import torch
        >>> with Recording() as recording:
        ...     y = TapLoss("size", lambda x: x.square().sum(1))(torch.ones(1, 2))
        >>> recording.forward.loss
        tensor([2.])
    """

    def __init__(self, name: str, loss: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.name, self.loss = name, loss

    def forward_and_log_det(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Record the loss of x."""
        for recording in open_recordings():
            recording.forward.losses.setdefault(self.name, []).append(self.loss(x))
        return x, zero_log_det(x)

    def inverse_and_log_det(self, y: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """Record the loss of y."""
        for recording in open_recordings():
            recording.inverse.losses.setdefault(self.name, []).append(self.loss(y))
        return y, zero_log_det(y)
