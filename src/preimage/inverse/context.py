"""What an inverse prepares once and uses often.

Factorisations and priors, all keyed on parameter versions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from preimage.capture.graph import Graph, names_of
from preimage.inverse.planning.region import Region
from preimage.inverse.planning.ruled import module_at, operations_of, rule_at
from preimage.inverse.prior import Prior, priors


class RuleContext:
    """Prepared state of one inverse.

    Every entry is stored with the versions of the parameters it was made from and made anew when they
    changed. A change that PyTorch does not count, such as ``weight.data.mul_(2)``, is not seen: call
    ``refresh()``.

    Args:
        graph: the captured network.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._prepared: dict[Hashable, tuple[Hashable, Any]] = {}

    def prepared(self, key: Hashable, versions: Hashable, build: Callable[[], Any]) -> Any:
        """The entry for a key, built again when the versions differ from those it was built for."""
        stored = self._prepared.get(key)
        if stored is None or stored[0] != versions:
            stored = (versions, build())
            self._prepared[key] = stored
        return stored[1]

    def refresh(self) -> None:
        """Forget everything prepared."""
        self._prepared.clear()

    def prior(self, name: str) -> Prior | None:
        """Mean and spread of a value as the network's batch norms recorded them."""
        return self.prepared("priors", self.versions, lambda: priors(self.graph)).get(name)

    @property
    def versions(self) -> Hashable:
        """A key that changes when any parameter or buffer is replaced or written to."""
        return tuple((id(t), t._version) for t in map(self._tensor, self._names) if t is not None)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.graph.tensors)

    def _tensor(self, name: str) -> Tensor | None:
        return self.graph.tensor(name)

    def module(self, region: Region) -> nn.Module | None:
        """The module of a region that is inverted whole."""
        if region.kind != "module":
            return None
        graph, target = self.graph, region.targets[0]
        for path in graph.by_name[target].stack:
            if rule_at(graph, path) and names_of(operations_of(graph, path, target)) == region.nodes:
                return module_at(graph, path)
        return None
