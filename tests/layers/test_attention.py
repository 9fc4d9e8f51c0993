"""Transformer blocks with memories and the causal transformer layer."""

import copy
import math
from collections.abc import Iterator

import pytest
import torch
from moved_parameters import moved
from torch import Tensor, nn

from preimage.layers import (
    AffineMap,
    Autoregressive,
    CausalTransformer,
    tarflow_block,
)
from preimage.layers.attention.attend import attend_to_earlier
from preimage.layers.attention.memory import JoinedMemory, Memory, WrittenMemory
from preimage.layers.attention.sliding_window import settled, sliding_window
from preimage.layers.attention.transformer_block import TransformerBlock

SMALL = {"width": 8, "heads": 2}


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def torch_layer(block: TransformerBlock, width: int, heads: int) -> nn.TransformerEncoderLayer:
    """PyTorch's own transformer layer with the same weights."""
    theirs = nn.TransformerEncoderLayer(
        width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
    ).double()
    attention = theirs.self_attn
    with torch.no_grad():
        attention.in_proj_weight.copy_(block.queries_keys_values.weight)
        attention.in_proj_bias.copy_(torch.cat([block.query_bias.flatten(), torch.zeros(2 * width)]))
        pairs = {
            attention.out_proj: block.output,
            theirs.norm1: block.attention_norm,
            theirs.norm2: block.feedforward_norm,
            theirs.linear1: block.feedforward[0],
            theirs.linear2: block.feedforward[2],
        }
        for target, source in pairs.items():
            target.weight.copy_(source.weight)
            target.bias.copy_(source.bias)
    return theirs


def with_together(layer: Autoregressive, together: int) -> Autoregressive:
    """The same layer, whose inverse solves so many tokens at once."""
    other = copy.deepcopy(layer)
    other.net.together = together
    return other


def one_after_the_other(layer: Autoregressive, y: Tensor, context: Tensor | None) -> Tensor:
    """The inverse as it is defined: the whole network again for every token, nothing remembered."""
    net = layer.net
    x = torch.zeros_like(y).flatten(2)
    for place in net.order.tolist():
        raw = net(x.unflatten(2, y.shape[2:]), context).flatten(2, -2)  # (N, C, T, count)
        x[:, :, place] = layer.element_map.inverse_elements(y.flatten(2)[:, :, place], raw[:, :, place])[0]
    return x.unflatten(2, y.shape[2:])


@pytest.mark.parametrize("causal", [False, True])
def test_block_equals_that_of_pytorch(causal: bool) -> None:
    block = moved(TransformerBlock(8, heads=2))
    tokens = torch.randn(3, 5, 8).double()
    mask = nn.Transformer.generate_square_subsequent_mask(5).double() if causal else None
    wanted = torch_layer(block, 8, 2)(tokens, src_mask=mask)
    actual = block(tokens, attend_to_earlier) if causal else block(tokens)
    torch.testing.assert_close(actual, wanted)


def test_fused_and_written_out_attention_agree() -> None:
    queries, keys, values = torch.randn(3, 2, 4, 5, 3).double().unbind(0)
    rows = torch.func.vmap(lambda q, k, v: attend_to_earlier(q[None], k[None], v[None])[0])
    torch.testing.assert_close(rows(queries, keys, values), attend_to_earlier(queries, keys, values))


@pytest.mark.parametrize("pieces", [[1, 1, 1, 1, 1], [2, 3], [5], [1, 3, 1]])
def test_memories_give_causal_attention_over_everything(pieces: list[int]) -> None:
    queries, keys, values = torch.randn(3, 2, 4, 5, 3).double().unbind(0)
    wanted = attend_to_earlier(queries, keys, values)
    for memory in (WrittenMemory(1, 5), JoinedMemory(1)):
        found = []
        for q, k, v in zip(*(part.split(pieces, dim=2) for part in (queries, keys, values)), strict=True):
            memory.attend(0)(q, k + 1, v - 1)  # what is not kept leaves no trace
            found.append(memory.attend(0)(q, k, v))
            memory.keep(q.shape[2])
        torch.testing.assert_close(torch.cat(found, dim=2), wanted)


def test_memories_keep_the_first_of_the_new_tokens() -> None:
    queries, keys, values = torch.randn(3, 2, 4, 5, 3).double().unbind(0)
    wanted = attend_to_earlier(queries, keys, values)
    for memory in (WrittenMemory(1, 8), JoinedMemory(1)):
        memory.attend(0)(queries[:, :, :4], keys[:, :, :4], values[:, :, :4])
        memory.keep(2)
        found = memory.attend(0)(queries[:, :, 2:], keys[:, :, 2:], values[:, :, 2:])
        torch.testing.assert_close(found, wanted[:, :, 2:])


@pytest.mark.parametrize("together", [1, 2, 4, 6])
@pytest.mark.parametrize("context", [0, 3])
def test_every_inverse_is_that_of_token_after_token(together: int, context: int) -> None:
    order = [5, 0, 3, 1, 4, 2]
    layer = moved(tarflow_block((3, 2, 3), None, **SMALL, context=context, order=order, together=together))
    x = torch.randn(5, 3, 2, 3).double()
    given = torch.randn(5, context).double() if context else None
    with torch.no_grad():
        y, log_det = layer.forward_and_log_det(x, given)
        wanted = one_after_the_other(layer, y, given)
        found, inverse_log_det = layer.inverse_and_log_det(y, given)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-11)
    torch.testing.assert_close(found, x, rtol=0, atol=1e-10)
    torch.testing.assert_close(inverse_log_det, -log_det)


def test_written_and_joined_memory_give_the_same_inverse() -> None:
    layer = moved(tarflow_block((3, 2, 3), **SMALL))
    y = torch.randn(5, 3, 2, 3).double()
    with torch.no_grad():
        written = layer.inverse(y)
    torch.testing.assert_close(layer.inverse(y), written, rtol=0, atol=1e-13)


def test_parameters_depend_on_earlier_tokens_only() -> None:
    order = [2, 0, 3, 1]
    net = moved(CausalTransformer(2, (2, 2), **SMALL, order=order))
    x = torch.randn(1, 2, 2, 2).double()
    jacobian = torch.func.jacrev(lambda v: net(v[None])[0])(x[0]).flatten(5, 6).flatten(1, 2)
    depends = jacobian.abs().sum((0, 2, 3)) > 0  # (T of the parameters, T of x)
    rank = torch.tensor(order).argsort()
    assert torch.equal(depends, rank[:, None] > rank[None])


@pytest.mark.parametrize("together", [3, 6])
def test_gradients_through_sweeps_are_those_of_token_after_token(together: int) -> None:
    first = moved(tarflow_block((2, 7), **SMALL, context=2))
    layers = [first, with_together(first, together)]
    y, context = torch.randn(3, 2, 7).double(), torch.randn(3, 2).double()
    found = []
    for layer in layers:
        leaves = y.clone().requires_grad_(), context.clone().requires_grad_()
        x, log_det = layer.inverse_and_log_det(*leaves)
        (x.square().sum() + log_det.sum()).backward()
        found.append([leaf.grad for leaf in leaves] + [p.grad for p in layer.parameters()])
    for mine, wanted in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-9, atol=1e-9)


def test_settled_tokens_are_a_beginning_that_rests_in_every_row() -> None:
    old = torch.randn(2, 5, 3)
    for token, row, wanted in [(0, 0, 1), (2, 1, 3), (4, 0, 5)]:
        new = old.clone()
        new[row, token] += 1e-3
        assert settled(old, new, old) == wanted
    assert settled(old, old, old) == 5
    assert settled(old, old * (1 + torch.finfo(torch.float32).eps), old) == 5
    broken = old.clone()
    broken[:, 1] = math.nan
    assert settled(broken, broken, old) == 5
    assert settled(old, broken, old) == 2


def test_sliding_window_solves_a_linear_recurrence() -> None:
    """x_t = y_t + x_{t-1} / 2: the running answer of every window, against the sum."""
    y = torch.randn(3, 20, 1).double()

    def sweep(seen: Tensor, start: int, memory: Memory) -> tuple[Tensor, Tensor]:
        return y[:, start : start + seen.shape[1]] + seen / 2, seen

    weights = 0.5 ** (torch.arange(20.0)[:, None] - torch.arange(20.0)).double()
    wanted = weights.tril() @ y
    for width in (1, 3, 7, 19, 40):
        x, _, steps = sliding_window(sweep, y, y[:, :1], y[:, :1], width, blocks=0)
        torch.testing.assert_close(x, wanted, rtol=0, atol=1e-14)
        assert steps <= 20
        assert width > 1 or steps == 20


def test_weakly_dependent_tokens_settle_in_few_sweeps() -> None:
    layer = tarflow_block((2, 4, 8), width=16, heads=2, together=31)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    y = torch.randn(4, 2, 4, 8)
    with torch.no_grad():
        solution = layer.solve(y)
    assert solution.passes.max() <= 16  # 32 tokens
    x, certificate = layer.certified_inverse(y)
    assert torch.equal(certificate.iterations, solution.passes)
    assert certificate.ok
    torch.testing.assert_close(x, solution.x)


@pytest.mark.parametrize("together", [1, 4])
def test_iterations_of_token_after_token_are_the_tokens(together: int) -> None:
    layer = moved(tarflow_block((2, 9), **SMALL, together=together))
    passes = layer.solve(torch.randn(3, 2, 9).double()).passes
    assert (passes <= 9).all()
    assert together > 1 or (passes == 9).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("together", [1, 8])
def test_no_silent_error_on_inputs_a_million_times_larger(dtype: torch.dtype, together: int) -> None:
    layer = moved(tarflow_block((2, 8), AffineMap(2.0), **SMALL, together=together)).to(dtype)
    x = (torch.randn(50, 2, 8) * torch.logspace(-1, 6, 50)[:, None, None]).to(dtype)
    with torch.no_grad():
        back, certificate = layer.certified_inverse(layer(x), on_error="nan")
    error = ((back - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)).nan_to_num()
    assert error[certificate.converged].max() < 1e-2
    assert certificate.converged.float().mean() > 0.5


@pytest.mark.parametrize("value", [math.inf, math.nan, 1e300])
@pytest.mark.parametrize("together", [1, 2, 5])
def test_earlier_tokens_do_not_notice_a_broken_one(value: float, together: int) -> None:
    layer = moved(tarflow_block((2, 6), **SMALL, together=together))
    y = torch.randn(4, 2, 6).double()
    with torch.no_grad():
        wanted = layer.inverse(y)[:, :, :3]
        y[:, :, 3] = value
        torch.testing.assert_close(layer.inverse(y)[:, :, :3], wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"positions": (1, 1)},
        {"positions": (2, 2), "together": 5},
        {"positions": (2, 2), "together": 0},
        {"positions": (2, 2), "order": [0, 1, 2, 2]},
        {"positions": (2, 2), "width": 9, "heads": 2},
    ],
)
def test_impossible_settings_of_the_causal_transformer_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="wanted"):
        CausalTransformer(2, **{"width": 8, "heads": 2, **wrong})
