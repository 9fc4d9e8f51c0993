"""How a point inside a network is described before the network has been captured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Tap:
    """A named tensor inside a network, described by the module that makes it.

    An activation module that is called several times (one ReLU6 object serving a whole network) does not name
    a tensor. So a tap names the module *before* it and says whether that module's own output is meant or the
    output of the activation that follows.

    Args:
        label: short name for people, such as ``"block 4"``.
        path: dotted module path, such as ``"_blocks.4"``.
        at: ``"output"`` of the module, or the ``"activation"`` applied to that output next.

    Cost: none.

    Example:
        >>> from preimage.zoo import Tap
        >>> str(Tap("stem", "_bn0", "activation"))
        'stem (activation after _bn0)'
    """

    label: str
    path: str
    at: Literal["output", "activation"] = "output"

    def __str__(self) -> str:
        return f"{self.label} ({'activation after ' if self.at == 'activation' else ''}{self.path})"
