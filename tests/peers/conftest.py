"""Differential tests run in float64, and record what they measured."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from peers.compare import Peer, differences
from preimage import Bijection

PEERS_OWN_WARNINGS = (
    "torch.(triangular_solve|lu|lu_solve|qr|det)",
    "Using a non-tuple sequence for multidimensional indexing",
)
"""Beginnings of the warnings that peers raise with today's PyTorch."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the peers their own warnings; ours stay errors."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for message in PEERS_OWN_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{message}"))


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """Peers build their parameters in the default dtype, some of them only in that."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def agree(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Compare a layer with a peer's; ``benchmarks/peer_layers.py`` collects what is recorded."""

    def check(
        ours: Bijection,
        peer: Peer,
        x: Tensor,
        context: Any = None,
        *,
        tolerance: float = 1e-12,
        layer: str | None = None,
    ) -> None:
        found = differences(ours, peer, x, context)
        record_property("peer", {"layer": layer or type(ours).__name__, "peer": peer.name, **found})
        worst = max(found, key=lambda key: found[key])
        assert found[worst] <= tolerance, f"{peer.name}: {worst} differs by {found[worst]:.1e}"

    return check
