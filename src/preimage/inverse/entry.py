"""What a user hands to a method of an inverse, made usable: any container of tensors, inference mode."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

Given = ParamSpec("Given")
Answer = TypeVar("Answer")
Self = TypeVar("Self")


def entry(
    method: Callable[Concatenate[Self, Given], Answer],
) -> Callable[Concatenate[Self, Given], Answer]:
    """Let a method take what networks return, wherever it is called.

    Lists, dictionaries and nested tuples of tensors become a tuple, in the order in which ``torch.export``
    lists them, so that ``inverse(network(x))`` works for any network. Under ``torch.inference_mode`` no
    derivative exists, and a solver would take every one for zero: the method runs under ``torch.no_grad``
    instead, on copies of the tensors made there.
    """

    @functools.wraps(method)
    def run(self: Self, *args: Any, **kwargs: Any) -> Answer:
        ask: Callable[..., Answer] = method
        if not torch.is_inference_mode_enabled():
            return ask(self, *map(_usable, args), **{name: _usable(v) for name, v in kwargs.items()})
        with torch.inference_mode(False), torch.no_grad():
            return ask(self, *map(_usable, args), **{name: _usable(v) for name, v in kwargs.items()})

    return run


def _usable(value: Any) -> Any:
    """Tensors that autograd may keep; a tuple of them if and only if there are two or more."""
    if isinstance(value, Tensor):
        return _copied(value)
    if not isinstance(value, list | tuple | Mapping):
        return value
    leaves = [leaf for leaf in tree_leaves(value) if leaf is not None]
    if not leaves or not all(isinstance(leaf, Tensor) for leaf in leaves):
        return value
    return _copied(leaves[0]) if len(leaves) == 1 else tuple(_copied(leaf) for leaf in leaves)


def _copied(value: Tensor) -> Tensor:
    """A copy of what was made in inference mode; anything else as it is."""
    return value.clone() if value.is_inference() else value
