"""Bijections one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from torch import Tensor, nn

from preimage import checks
from preimage.bijection.contract import Bijection
from preimage.bijection.step import ChainRunner, Step, runner
from preimage.checks import Context
from preimage.functional.event import zero_log_det


class Chain(Bijection, delegates=True):
    r"""Bijections one after the other: :math:`f = f_L \circ \dots \circ f_1`, log_dets added.

    The context is handed to every layer that takes one. A chain can be indexed and sliced.

    Args:
        layers: the maps, in the order in which ``forward`` runs them; none for the identity.
        memory: what a backward pass keeps: ``"autograd"`` everything, ``"reversible"`` only the two ends, see
            :class:`preimage.reversible.ReversibleRunner`; or a runner of your own.

    Returns:
        The latent tensor(s) and the sum of the log_dets ``(N,)``.

    Raises:
        ContextError: a context is missing, or no layer takes one.
        ValueError: ``memory`` is not one of the words above.

    Example:
        >>> import torch
        >>> from preimage.layers import Affine, LeakyReLU
        >>> chain = Chain(Affine(3), LeakyReLU(), Affine(3))
        >>> x = torch.randn(2, 3)
        >>> torch.allclose(chain.inverse(chain(x)), x)
        True
        >>> len(chain[1:])
        2
    """

    def __init__(self, *layers: Bijection, memory: str | ChainRunner = "autograd") -> None:
        super().__init__()
        for layer in layers:
            if not isinstance(layer, Bijection):
                raise TypeError(f"Chain: got {type(layer).__name__}, wanted bijections only")
        self.layers = nn.ModuleList(layers)
        self.memory = memory
        self._runner = runner(memory)
        if layers:
            self.domain, self.codomain = layers[0].domain, layers[-1].codomain
        conditional = [layer.context_domain for layer in layers if layer.context_domain is not None]
        self.context_domain = conditional[0] if conditional else None

    def _run(self, word: str, steps: list[Step], x: Any, context: Context) -> tuple[Any, Tensor]:
        where = f"Chain.{'forward' if word == 'x' else 'inverse'}_and_log_det"
        if self.context_domain is None:
            checks.check_context(where, context, None, 0)
        x = checks.promote_under_autocast(x)
        domains = self.domain if word == "x" else self.codomain
        checks.check_tensors(where, word, x, domains, None)
        if not steps:
            return x, zero_log_det(checks.as_tuple(x)[0])
        return self._runner.run(steps, x, context)

    def forward_steps(self) -> list[Step]:
        """The steps of every layer in order."""
        return [step for layer in self for step in layer.forward_steps()]

    def inverse_steps(self) -> list[Step]:
        """The inverse steps of every layer, last layer first."""
        return [step for layer in reversed(list(self)) for step in layer.inverse_steps()]

    def forward_and_log_det(self, x: Any, context: Context = None) -> tuple[Any, Tensor]:
        """Every layer in order."""
        return self._run("x", self.forward_steps(), x, context)

    def inverse_and_log_det(self, y: Any, context: Context = None) -> tuple[Any, Tensor]:
        """Every layer's inverse in reverse order."""
        return self._run("y", self.inverse_steps(), y, context)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Bijection]:
        return iter(cast("list[Bijection]", list(self.layers)))

    def __getitem__(self, index: int | slice) -> Bijection:
        """One layer, or a chain of several with the same memory."""
        layers = list(self)
        return Chain(*layers[index], memory=self.memory) if isinstance(index, slice) else layers[index]
