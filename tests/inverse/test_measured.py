"""Promises that the weights break although the shapes allow them, against dense ranks."""

import pickle

import pytest
import torch
from torch import nn

import preimage as pi
from preimage.errors import NotInvertibleError
from preimage.inverse.registry import Rule


def dense_rank(network, shape):
    x = torch.randn(1, *shape, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(network.double(), x).reshape(-1, x.numel())
    return torch.linalg.matrix_rank(jacobian).item()


def without_rank(layer):
    """The layer with two equal filters."""
    with torch.no_grad():
        layer.weight[1] = layer.weight[0]
    return layer


def grouped():
    torch.manual_seed(4)
    layer = nn.Conv2d(3, 6, 2, groups=3, padding_mode="reflect")
    with torch.no_grad():
        layer.weight[1] = 2 * layer.weight[0]  # the first channel is seen through one filter only
    return layer


def dead_channel():
    norm = nn.BatchNorm1d(4).eval()
    with torch.no_grad():
        norm.weight[2] = 0
    return norm


BROKEN = [
    (grouped, (3, 6, 4), "left"),
    (lambda: without_rank(nn.Linear(5, 5)), (5,), "exact"),
    (lambda: without_rank(nn.Linear(7, 3)), (7,), "right"),
    (lambda: without_rank(nn.Conv1d(2, 2, 1)), (2, 9), "exact"),
    (dead_channel, (4,), "exact"),
]


@pytest.mark.parametrize(("make", "shape", "by_shapes"), BROKEN)
def test_a_rank_that_is_missing_breaks_the_promise(make, shape, by_shapes):
    layer = make()
    inverse = pi.invert(layer, torch.zeros(1, *shape))
    assert inverse.plan_by_shapes().guarantee.value == by_shapes
    assert inverse.plan().guarantee is pi.Guarantee.ESTIMATE
    rank, size = dense_rank(layer, shape), torch.Size(shape).numel()
    assert rank < size
    assert f"at least {size - rank} of {size} input dimensions are lost" in inverse.ledger.verdict


def test_a_full_rank_keeps_the_promise_until_the_weights_change():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 8))
    inverse = pi.invert(network, torch.zeros(1, 4))
    assert inverse.plan().guarantee is pi.Guarantee.LEFT
    without_rank(network[0])
    assert inverse.plan().guarantee is pi.Guarantee.LEFT  # five of six filters still see four numbers
    with torch.no_grad():
        network[0].weight[:, 0] = 0
    assert inverse.plan().guarantee is pi.Guarantee.ESTIMATE
    assert "at least 1 of 4 input dimensions are lost by 0" in inverse.ledger.verdict


def test_a_square_map_too_large_for_a_rank_is_not_promised_exact():
    torch.manual_seed(0)
    inverse = pi.invert(nn.Conv2d(16, 16, 3, padding=1), torch.zeros(1, 16, 24, 24))
    assert inverse.plan_by_shapes().guarantee is pi.Guarantee.EXACT
    assert inverse.plan().guarantee is pi.Guarantee.ITERATIVE


FOLDED = [
    nn.PReLU(init=-0.25),
    nn.PReLU(init=0.0),
    nn.LeakyReLU(-0.1),
    nn.LeakyReLU(0.0),
    nn.ELU(0.0),
    nn.ELU(-1.0),
]
FOLDED += [nn.CELU(-1.0), nn.Softplus(-1.0)]


@pytest.mark.parametrize("activation", FOLDED, ids=str)
def test_slopes_that_are_not_positive_promise_neither_exact_nor_left(activation):
    inverse = pi.invert(activation, torch.zeros(1, 4))
    assert not inverse.plan().guarantee.keeps_everything


@pytest.mark.parametrize("activation", [nn.PReLU(), nn.LeakyReLU(0.3), nn.ELU(2.0), nn.CELU(0.5)], ids=str)
def test_positive_slopes_are_exact(activation):
    assert pi.invert(activation, torch.zeros(1, 4)).plan().guarantee is pi.Guarantee.EXACT


def test_equal_rows_of_an_embedding_cannot_be_told_apart():
    torch.manual_seed(0)
    table = nn.Embedding(5, 3)
    words = torch.zeros(1, 4, dtype=torch.long)
    assert pi.invert(table, words).plan().guarantee is pi.Guarantee.LEFT
    assert pi.invert(without_rank(table), words).plan().guarantee is pi.Guarantee.RIGHT


def test_a_plan_and_a_traced_bijection_survive_pickling():
    network = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    again = pickle.loads(pickle.dumps(pi.Traced(network, torch.zeros(1, 3))))
    x = torch.randn(2, 3)
    torch.testing.assert_close(again.inverse(again(x)), x, rtol=1e-4, atol=1e-5)


def test_a_rule_that_is_not_registered_says_so():
    gone = Rule("gone", lambda site, y: pi.Solved(y), pi.Guarantee.EXACT, "no such operation")
    with pytest.raises(NotInvertibleError, match="register it before"):
        pickle.loads(pickle.dumps(gone))


def test_other_decoders_share_what_was_factorised():
    torch.manual_seed(0)
    inverse = pi.invert(nn.Linear(4, 4), torch.zeros(1, 4))
    again = inverse.with_decoders({})
    assert again.context is inverse.context
    assert again.taps == inverse.taps
    assert not again.is_calibrated
