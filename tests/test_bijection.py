"""The contract: arguments, chains, views, domains."""

import numpy as np
import pytest
import torch

from preimage import Chain, Inverted
from preimage.errors import (
    ContextError,
    DomainError,
    ShapeError,
)
from preimage.layers import (
    AdditiveMap,
    Affine,
    ChannelPartition,
    Coupling,
    LeakyReLU,
    MaskPartition,
    Permutation,
    SlicePartition,
)
from preimage.nets import MLP
from small_bijections import CONDITIONAL, Logit, Swap


class WrongLogDet(LeakyReLU):
    def forward_and_log_det(self, x, context=None):
        return x, x


REFUSED = {
    "wrong number of features": (
        Affine(3),
        torch.ones(2, 4),
        None,
        ShapeError,
        r"Affine\.forward_and_log_det: x has shape \(2, 4\), wanted \(N, 3, \.\.\.\)",
    ),
    "scalar": (LeakyReLU(), torch.tensor(1.0), None, ShapeError, r"has shape \(\)"),
    "wrong rank": (
        Coupling(MaskPartition.checkerboard(2, 2), torch.nn.Conv2d(1, 2, 1)),
        torch.ones(2, 2, 2),
        None,
        ShapeError,
        r"wanted \(N, \*, 2, 2\)",
    ),
    "integers": (
        LeakyReLU(),
        torch.ones(2, 2, dtype=torch.long),
        None,
        ShapeError,
        r"int64.*write x\.float\(\)",
    ),
    "complex": (LeakyReLU(), torch.ones(2, 2, dtype=torch.complex64), None, ShapeError, "complex64"),
    "half precision": (LeakyReLU(), torch.ones(2, 2).half(), None, ShapeError, "float16"),
    "other precision than the layer": (
        Affine(2),
        torch.ones(2, 2).double(),
        None,
        ShapeError,
        "layer holds torch.float32",
    ),
    "other device than the layer": (
        Affine(2),
        torch.ones(2, 2, device="meta"),
        None,
        ShapeError,
        "on meta.*on cpu",
    ),
    "numpy": (LeakyReLU(), np.ones((2, 2)), None, ShapeError, "ndarray.*as_tensor"),
    "tuple instead of tensor": (
        LeakyReLU(),
        (torch.ones(2, 2), torch.ones(2, 2)),
        None,
        ShapeError,
        "a tuple of 2 tensors, wanted one tensor",
    ),
    "tensor instead of tuple": (
        Swap(),
        torch.ones(2, 2),
        None,
        ShapeError,
        "one tensor, wanted a tuple of 2",
    ),
    "tuple of different batches": (
        Swap(),
        (torch.ones(2, 2), torch.ones(3, 3)),
        None,
        ShapeError,
        "batches of 2, 3",
    ),
    "below the domain": (
        Logit(),
        torch.tensor([[0.5, -1.0], [0.1, 0.2]]),
        None,
        DomainError,
        r"open interval \(0, 1\).*1 values in 1 of 2 rows.*-1",
    ),
    "on an open bound": (Logit(), torch.ones(2, 2), None, DomainError, "4 values in 2 of 2 rows"),
    "missing context": (CONDITIONAL, torch.ones(2, 2), None, ContextError, r"missing.*\(N, 3\)"),
    "context with too few rows": (
        CONDITIONAL,
        torch.ones(2, 2),
        torch.ones(1, 3),
        ShapeError,
        "1 rows, the input 2",
    ),
    "context of wrong shape": (
        CONDITIONAL,
        torch.ones(2, 2),
        torch.ones(2, 4),
        ShapeError,
        r"context has shape \(2, 4\)",
    ),
    "context is no tensor": (CONDITIONAL, torch.ones(2, 2), [1, 2], ContextError, "list"),
    "superfluous context": (LeakyReLU(), torch.ones(2, 2), torch.ones(2, 3), ContextError, "takes none"),
    "superfluous context of a chain": (
        Chain(LeakyReLU()),
        torch.ones(2, 2),
        torch.ones(2, 3),
        ContextError,
        "Chain",
    ),
    "missing context in a chain": (Chain(CONDITIONAL), torch.ones(2, 2), None, ContextError, "missing"),
    "conditioner of wrong size": (
        Coupling(torch.tensor([True, False]), torch.nn.Linear(1, 3)),
        torch.ones(2, 2),
        None,
        ShapeError,
        r"returned shape \(2, 3\), wanted \(2, 2\)",
    ),
    "log_det of wrong shape": (
        WrongLogDet(),
        torch.ones(2, 2),
        None,
        ShapeError,
        r"log_det of shape \(2, 2\), wanted \(2,\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused_with_a_clear_message(name: str) -> None:
    layer, x, context, error, message = REFUSED[name]
    with pytest.raises(error, match=f"(?s){message}"):
        layer.forward_and_log_det(x, context)
    with pytest.raises(error, match=f"(?s){message}"):
        layer(x, context)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeakyReLU(0.0), "slope"),
        (lambda: LeakyReLU(-1.0), "slope"),
        (lambda: Permutation([0, 0, 1]), "exactly once"),
        (lambda: ChannelPartition(torch.tensor([True, True])), "at least one False"),
        (lambda: ChannelPartition(torch.tensor([1, 0])), "bool"),
        (lambda: SlicePartition(3, keep=3), "0 to 2"),
        (lambda: Chain(LeakyReLU(), memory="none"), "autograd"),
    ],
)
def test_bad_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_chain_refuses_what_is_no_bijection() -> None:
    with pytest.raises(TypeError, match="Linear"):
        Chain(torch.nn.Linear(2, 2))


@pytest.mark.shows("3-1")
def test_double_inversion_returns_the_same_object() -> None:
    for layer in (LeakyReLU(), Affine(2), Chain(Affine(2), LeakyReLU())):
        assert layer.inv.inv is layer
        assert isinstance(layer.inv, Inverted)
        assert set(layer.inv.parameters()) == set(layer.parameters())


@pytest.mark.shows("3-1")
def test_chain_equals_its_layers_one_by_one() -> None:
    layers = [Affine(3), LeakyReLU(0.3), Permutation([2, 0, 1])]
    torch.nn.init.normal_(layers[0].log_scale)
    x, total = torch.randn(4, 3), torch.zeros(4)
    y = x
    for layer in layers:
        y, log_det = layer.forward_and_log_det(y)
        total = total + log_det
    for chain in (Chain(*layers), layers[0] @ layers[1] @ layers[2], Chain(Chain(*layers)[:2], layers[2])):
        actual, log_det = chain.forward_and_log_det(x)
        assert torch.equal(actual, y)
        torch.testing.assert_close(log_det, total)
    assert len(Chain(*layers)) == 3
    assert list(Chain(*layers)) == layers
    assert Chain(*layers)[1] is layers[1]


def test_several_tensors_in_and_out() -> None:
    x = (torch.randn(4, 2), torch.randn(4, 3))
    chain = Chain(Swap(), Swap())
    y = chain(x)
    assert isinstance(y, tuple)
    for actual, wanted in zip(chain.inverse(y), x, strict=True):
        torch.testing.assert_close(actual, wanted)


@pytest.mark.shows("3-2")
def test_volume_preserving_layers_have_log_det_exactly_zero() -> None:
    x = torch.randn(4, 3)
    coupling = Coupling(SlicePartition(3), MLP(1, 2, (4,)), AdditiveMap())
    for layer in (Permutation([1, 2, 0]), coupling):
        for found in (layer.forward_and_log_det(x)[1], layer.inverse_and_log_det(x)[1]):
            assert found.shape == (4,)
            assert not found.any()


@pytest.mark.shows("3-13")
def test_coupling_leaves_the_kept_part_alone_and_moves_the_rest() -> None:
    mask = torch.tensor([False, True, True, False, False])
    layer = Coupling(mask, torch.nn.Linear(2, 6))
    x = torch.randn(4, 5)
    y = layer(x)
    assert torch.equal(y[:, mask], x[:, mask])
    assert (y[:, ~mask] != x[:, ~mask]).all()


def test_bounded_scale_keeps_large_network_outputs_finite() -> None:
    layer = Coupling(torch.tensor([True, False]), torch.nn.Linear(1, 2))
    torch.nn.init.constant_(layer.conditioner.weight, 1e3)
    y, log_det = layer.forward_and_log_det(torch.full((1, 2), 1e3))
    assert y.isfinite().all()
    assert log_det.abs().item() <= 1.0
