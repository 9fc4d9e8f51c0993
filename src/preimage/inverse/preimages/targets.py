"""What an answer shall look like, where that is not every output at a given value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from preimage.errors import DomainError, NonFiniteError, ShapeError

ROOM = 1e-3
"""How far a total of probabilities may be from 1."""


class Target(ABC):
    """A wanted answer, seen through some function of the outputs."""

    wanted: Tensor
    """What the function must return, ``(N, ...)``."""

    @abstractmethod
    def see(self, outputs: Tensor) -> Tensor:
        """The part of the outputs ``(N, *out)`` that counts, ``(N, ...)``."""

    @abstractmethod
    def example(self, shape: tuple[int, ...]) -> Tensor:
        """Outputs ``(N, *shape)`` that have what is wanted: where a search may begin."""


@final
class LogitsUpToConstant(Target):
    """Logits of which only the differences count: ``f(x) = y + c`` for any number c a sample.

    These are the prescribed probabilities ``softmax(y)``, all of them to the same relative precision.

    Args:
        values: y, ``(N, classes)``.

    Raises:
        ShapeError: for anything but a matrix.
        NonFiniteError: for NaN or infinity; a probability of 0 has no logit.

    Example:
        >>> import torch
        >>> target = LogitsUpToConstant(torch.tensor([[0.0, 2.0]]))
        >>> bool((target.see(torch.tensor([[5.0, 7.0]])) == target.wanted).all())
        True
    """

    def __init__(self, values: Tensor) -> None:
        self.values = _matrix(values)
        self.wanted = self.see(self.values)

    def see(self, outputs: Tensor) -> Tensor:
        """Logits with mean 0."""
        return outputs - outputs.mean(1, keepdim=True)

    def example(self, shape: tuple[int, ...]) -> Tensor:
        """The logits themselves."""
        return self.values


@final
class Probabilities(Target):
    """Probabilities behind a softmax: ``softmax(f(x)) = p``.

    Compared as square roots, so that an absolute error of a probability near 0 counts more than one near 1.

    Args:
        values: p, ``(N, classes)``, not negative, each row of total 1.

    Raises:
        ShapeError: for anything but a matrix.
        DomainError: for negative numbers or another total.

    Example:
        >>> import torch
        >>> target = Probabilities(torch.tensor([[0.25, 0.75]]))
        >>> torch.allclose(target.see(torch.tensor([[1.0, 3.0]]).log()), target.wanted)
        True
    """

    def __init__(self, values: Tensor) -> None:
        self.values = _matrix(values)
        if bool((self.values < 0).any()) or bool(((self.values.sum(1) - 1).abs() > ROOM).any()):
            raise DomainError(
                "probabilities must not be negative and must have a total of 1 in each row; for logits write"
                " LogitsUpToConstant(values) or give the tensor itself"
            )
        self.wanted = (self.values / self.values.sum(1, keepdim=True)).sqrt()

    def see(self, outputs: Tensor) -> Tensor:
        """``sqrt(softmax(outputs))``."""
        return (outputs.log_softmax(1) / 2).exp()

    def example(self, shape: tuple[int, ...]) -> Tensor:
        """Their logarithms; a probability of 0 becomes one of a millionth."""
        return self.values.clamp_min(1e-6).log()


@final
class SomeOutputs(Target):
    """Prescribed values of some outputs; the others are free.

    Args:
        positions: which, as positions in the flattened outputs of a sample.
        values: their values, ``(N, len(positions))``.

    Raises:
        ShapeError: when the numbers of positions and values differ, or a position is named twice.

    Example:
        >>> import torch
        >>> target = SomeOutputs([2, 0], torch.tensor([[1.0, -1.0]]))
        >>> target.see(torch.tensor([[-1.0, 9.0, 1.0]]))
        tensor([[ 1., -1.]])
    """

    def __init__(self, positions: Sequence[int], values: Tensor) -> None:
        self.wanted = _matrix(values)
        self.positions = list(positions)
        if len(set(self.positions)) != self.wanted.shape[1] or len(self.positions) != self.wanted.shape[1]:
            raise ShapeError(
                f"{len(self.positions)} positions with {self.wanted.shape[1]} values a row; as many of"
                " each were wanted, no position twice"
            )

    def see(self, outputs: Tensor) -> Tensor:
        """The outputs at the positions."""
        return outputs.flatten(1)[:, self.positions]

    def example(self, shape: tuple[int, ...]) -> Tensor:
        """Zeros elsewhere."""
        outputs = self.wanted.new_zeros(len(self.wanted), *shape)
        outputs.flatten(1)[:, self.positions] = self.wanted
        return outputs


@final
class SomeProbabilities(Target):
    """Prescribed probabilities of some classes behind a softmax; how the others share the rest is free.

    Compared as square roots, as :class:`Probabilities` are.

    Args:
        positions: which classes.
        values: their probabilities, ``(N, len(positions))``, not negative, each row of total 1 at most.

    Raises:
        ShapeError: when the numbers of positions and values differ, or a position is named twice.
        DomainError: for negative numbers or a total above 1.

    Example:
        >>> import torch
        >>> target = SomeProbabilities([1], torch.tensor([[0.81]]))
        >>> target.see(torch.tensor([[0.1, 0.81, 0.09]]).log())
        tensor([[0.9000]])
    """

    def __init__(self, positions: Sequence[int], values: Tensor) -> None:
        some = SomeOutputs(positions, values)
        self.positions, self.values = some.positions, some.wanted
        if bool((self.values < 0).any()) or bool((self.values.sum(1) > 1 + ROOM).any()):
            raise DomainError("probabilities must not be negative nor have a total above 1 in a row")
        self.wanted = self.values.sqrt()

    def see(self, outputs: Tensor) -> Tensor:
        """Square roots of the probabilities at the positions."""
        return (outputs.flatten(1).log_softmax(1) / 2).exp()[:, self.positions]

    def example(self, shape: tuple[int, ...]) -> Tensor:
        """Logarithms, the rest shared evenly."""
        count = torch.Size(shape).numel()
        rest = (1 - self.values.sum(1, keepdim=True)).clamp_min(1e-6) / max(1, count - len(self.positions))
        full = rest.expand(-1, count).clone()
        full[:, self.positions] = self.values.clamp_min(1e-6)
        return full.log().view(-1, *shape)


def _matrix(values: Tensor) -> Tensor:
    if not isinstance(values, Tensor) or values.dim() != 2 or not values.is_floating_point():
        came = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ShapeError(f"got {came}; a floating-point tensor (N, numbers) was wanted")
    if not bool(values.isfinite().all()):
        raise NonFiniteError("NaN or infinity among the wanted values; finite numbers were wanted")
    return values.detach()
