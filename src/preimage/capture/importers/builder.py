"""Writing a network step by step: shared by all importers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, fx, nn

Value = Any
"""A value while a network is being built: an ``fx.Node`` where it depends on the input, else a constant."""


@final
class Builder:
    """Builds an ``fx.GraphModule``: an ordinary module whose ``.code`` can be read.

    A call whose operands are all constants is computed at once. Constant tensors that a call needs beside a
    value of the network become parameters (floating point) or buffers (all others), each stored once.
    """

    def __init__(self) -> None:
        self._graph = fx.Graph()
        self._root = nn.Module()
        self._stored: dict[int, tuple[Tensor, fx.Node]] = {}
        self._modules: dict[int, str] = {}
        self._names: set[str] = set()

    def input(self, name: str) -> fx.Node:
        """A new input of the network."""
        return self._graph.placeholder(self._free(name))

    def call(self, function: Callable[..., Any], *args: Value, **kwargs: Value) -> Value:
        """Apply a function."""
        if not depends((args, kwargs)):
            with torch.no_grad():
                return function(*args, **kwargs)
        return self._graph.call_function(function, self._operand(args), self._operand(kwargs))

    def module(self, name: str, module: nn.Module, *args: Value) -> Value:
        """Apply a module, which becomes a part of the network under a legal name like the given one, once."""
        if not depends(args):
            with torch.no_grad():
                return module.eval()(*args)
        if id(module) not in self._modules:
            self._modules[id(module)] = self._free(name)
            self._root.add_module(self._modules[id(module)], module)
        return self._graph.call_module(self._modules[id(module)], self._operand(args))

    def tensor(self, name: str, tensor: Tensor) -> fx.Node:
        """A constant as a parameter or buffer of the network."""
        if id(tensor) not in self._stored:
            name = self._free(name)
            if tensor.is_floating_point():
                self._root.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
            else:
                self._root.register_buffer(name, tensor)
            self._stored[id(tensor)] = tensor, self._graph.get_attr(name)
        return self._stored[id(tensor)][1]

    def finish(self, outputs: Sequence[Value], name: str) -> fx.GraphModule:
        """The network in evaluation mode, with a tuple of outputs if there are two or more."""
        stored = self._operand(tuple(outputs))
        self._graph.output(stored if len(stored) > 1 else stored[0])
        module = fx.GraphModule(self._root, self._graph, class_name=name)
        module.graph.eliminate_dead_code()
        module.recompile()
        module.delete_all_unused_submodules()
        return module.eval()

    def _operand(self, value: Value) -> Value:
        if isinstance(value, Tensor):
            return self.tensor("constant", value)
        if isinstance(value, Mapping):
            return {key: self._operand(item) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(self._operand(item) for item in value)
        return value

    def _free(self, name: str) -> str:
        """A legal attribute name that is not taken yet."""
        legal = re.sub(r"\W+", "_", name).strip("_") or "value"
        legal = f"_{legal}" if legal[0].isdigit() else legal
        free, count = legal, 1
        while free in self._names or hasattr(self._root, free):
            count += 1
            free = f"{legal}_{count}"
        self._names.add(free)
        return free


def depends(value: Value) -> bool:
    """Whether a value depends on the network's input."""
    if isinstance(value, fx.Node):
        return True
    if isinstance(value, Mapping):
        return any(depends(item) for item in value.values())
    return isinstance(value, (tuple, list)) and any(depends(item) for item in value)


def legal_name(name: str, fallback: str) -> str:
    """A name for a class of the imported network."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9]*", name)
    return "".join(word[0].upper() + word[1:] for word in words) or fallback
