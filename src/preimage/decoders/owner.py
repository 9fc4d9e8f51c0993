"""Which network a decoder belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from preimage.capture.graph import Graph
from preimage.errors import ModelFileError
from preimage.inverse.saving.fingerprint import fingerprint


@dataclass(frozen=True)
class Owner:
    """A network by the hash of its weights, and the values of its graph that the taps mean.

    Args:
        weights: hash of the weights, hexadecimal.
        values: label -> name of the value in the captured graph.
    """

    weights: str
    values: Mapping[str, str]

    @staticmethod
    def of(graph: Graph, values: Mapping[str, str]) -> Owner:
        """The owner that a captured network is.

        Cost: one hash over the weights.
        """
        return Owner(fingerprint(graph)["weights"], dict(values))

    def check(self, graph: Graph) -> None:
        """Refuse another network.

        Raises:
            ModelFileError: the weights differ from those of the network that the decoder was trained for.
        """
        if fingerprint(graph)["weights"] != self.weights:
            raise ModelFileError(
                "the decoder was trained for another network, or for other weights of this one: it would"
                " paint nonsense. Train one with preimage.decoders.train(inverse, pictures)"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"weights": self.weights, "values": dict(self.values)}
