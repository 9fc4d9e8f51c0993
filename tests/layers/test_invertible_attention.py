"""Attention that is itself invertible."""

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from moved_parameters import moved
from torch import Tensor, nn

from preimage.layers import (
    InvertibleAttention,
)


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def attention_by_hand(layer: InvertibleAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    """Loops over rows, heads and tokens; the log_det from the dense matrix of all moving values."""
    keep = layer.conditioner.query.in_features
    y, log_dets = x.clone(), []
    for n in range(len(x)):
        kept, moving = x[n, :keep].T, x[n, keep:]  # (T, keep), (m, T)
        per_head = len(moving) // layer.heads
        log_det = 0.0
        for head in range(layer.heads):
            part = slice(head * layer.width, (head + 1) * layer.width)
            queries = layer.conditioner.query(kept)[:, part]
            keys = layer.conditioner.key(kept)[:, part]
            gain = layer.bound * math.tanh(layer.raw_gain[head])
            tokens = len(kept)
            matrix = torch.zeros(tokens, tokens).double()
            for i, j in itertools.product(range(tokens), range(tokens)):
                scores = [(queries[i] @ keys[k] / math.sqrt(layer.width)).exp() for k in range(tokens)]
                matrix[i, j] = gain * scores[j] / sum(scores) + (i == j)
            for channel in range(head * per_head, (head + 1) * per_head):
                y[n, keep + channel] = matrix @ moving[channel]
            whole = torch.block_diag(*[matrix] * per_head)
            log_det += torch.linalg.slogdet(whole).logabsdet
        log_dets.append(log_det)
    return y, torch.stack(log_dets)


@torch.no_grad()
def test_invertible_attention_by_hand() -> None:
    layer = moved(InvertibleAttention(6, heads=2, keep=2, width=3))
    x = torch.randn(2, 6, 4).double()
    y, log_det = layer.forward_and_log_det(x)
    wanted, wanted_log_det = attention_by_hand(layer, x)
    torch.testing.assert_close(y, wanted)
    torch.testing.assert_close(log_det, wanted_log_det)


def test_permuted_tokens_give_permuted_answers() -> None:
    layer = moved(InvertibleAttention(4, heads=2))
    x, order = torch.randn(3, 4, 7).double(), torch.randperm(7)
    y, log_det = layer.forward_and_log_det(x)
    permuted, same = layer.forward_and_log_det(x[:, :, order])
    torch.testing.assert_close(permuted, y[:, :, order])
    torch.testing.assert_close(same, log_det)


def test_any_number_of_tokens_and_vectors() -> None:
    layer = moved(InvertibleAttention(3))
    for shape in [(2, 3), (2, 3, 1), (2, 3, 9), (2, 3, 2, 4), (2, 3, 0)]:
        x = torch.randn(shape).double()
        torch.testing.assert_close(layer.inverse(layer(x)), x)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1.0, 1e3, 1e6])
def test_attention_stays_well_conditioned_for_any_tokens(dtype: torch.dtype, size: float) -> None:
    layer = moved(InvertibleAttention(4, heads=2, bound=0.9), 3.0).to(dtype)
    layer.raw_gain.copy_(torch.tensor([50.0, -50.0]))  # the strongest gains there are
    x = (size * torch.randn(20, 4, 12)).to(dtype)
    matrix = layer.mixing(x[:, :2]).double()
    row_sums = lambda m: m.abs().sum(-1).amax(-1)  # noqa: E731
    condition = row_sums(matrix) * row_sums(torch.linalg.inv(matrix))
    assert condition.max() <= 1.9 / 0.1 + 1e-4
    back, certificate = layer.certified_inverse(layer(x))
    assert certificate.ok
    torch.testing.assert_close(back, x, rtol=1e-4, atol=1e-4 * size)


def test_attention_starts_as_the_identity() -> None:
    layer, x = InvertibleAttention(4), torch.randn(2, 4, 5)
    y, log_det = layer.forward_and_log_det(x)
    torch.testing.assert_close(y, x)
    torch.testing.assert_close(log_det, torch.zeros(2), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "wrong",
    [{"heads": 2}, {"keep": 0}, {"keep": 5}, {"bound": 1.0}, {"context": 2}, {"width": 0}],
)
def test_impossible_settings_of_the_attention_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="InvertibleAttention"):
        InvertibleAttention(5, **wrong)


def test_a_conditioner_of_the_wrong_size_is_refused() -> None:
    from preimage.errors import ShapeError

    with pytest.raises(ShapeError, match="queries and keys of width 16"):
        InvertibleAttention(4, conditioner=nn.Conv1d(2, 7, 1))(torch.ones(1, 4, 3))
