"""Networks of every kind: captured, planned, printed, and inverted from both ends without a crash."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from preimage.capture import evaluate
from preimage.errors import NotInvertibleError, ShapeError
from preimage.inverse import Guarantee, Inverse, invert


class UNet(nn.Module):
    """Two levels with a skip connection by concatenation."""

    def __init__(self):
        super().__init__()
        self.first, self.down = nn.Conv2d(2, 12, 3, padding=1), nn.Conv2d(12, 16, 3, 2, 1)
        self.up, self.last = nn.ConvTranspose2d(16, 8, 2, 2), nn.Conv2d(20, 20, 1)

    def forward(self, x):
        a = self.first(x).relu()
        return self.last(torch.cat([a, self.up(self.down(a).relu())], 1))


class Decoder(nn.Module):
    """A causal transformer block as language models write it: RMS norm, gated MLP, rotary positions."""

    def __init__(self, width=8, heads=2):
        super().__init__()
        self.heads = heads
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv_proj, self.o_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.gate_proj, self.up_proj = nn.Linear(width, 2 * width), nn.Linear(width, 2 * width)
        self.down_proj, self.lm_head = nn.Linear(2 * width, width), nn.Linear(width, 11)

    def attend(self, x):
        rows, length, width = x.shape
        q, k, v = self.qkv_proj(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = self.rotate(q), self.rotate(k)
        ahead = torch.ones(length, length, dtype=torch.bool).triu(1)
        weight = (q @ k.transpose(-1, -2) / 2).masked_fill(ahead, float("-inf")).softmax(-1)
        return self.o_proj((weight @ v).transpose(1, 2).reshape(rows, length, width))

    def rotate(self, x):
        angle = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * torch.tensor([1.0, 0.1], dtype=x.dtype)
        a, b = x.chunk(2, -1)
        return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)

    def forward(self, x):
        x = x + 0.3 * self.attend(self.input_layernorm(x))
        h = self.post_attention_layernorm(x)
        x = x + 0.3 * self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))
        return self.lm_head(x)


class Windows(nn.Module):
    """Shifted-window attention: windows folded into the batch axis, heads before samples."""

    def __init__(self, width=6):
        super().__init__()
        self.embed, self.norm = nn.Conv2d(3, width, 2, 2), nn.LayerNorm(width)
        self.qkv, self.out, self.head = (
            nn.Linear(width, 3 * width),
            nn.Linear(width, width),
            nn.Linear(width, 9),
        )

    def forward(self, x):
        x = self.embed(x).permute(0, 2, 3, 1)
        rows, high, wide, width = x.shape
        w = self.norm(x).roll((-1, -1), (1, 2)).view(rows, high // 2, 2, wide // 2, 2, width)
        w = w.permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, width)
        q, k, v = self.qkv(w).reshape(w.shape[0], 4, 3, 2, width // 2).permute(2, 0, 3, 1, 4).unbind(0)
        w = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, 4, width))
        w = w.view(rows, high // 2, wide // 2, 2, 2, width).permute(0, 1, 3, 2, 4, 5)
        x = x + 0.3 * w.reshape(rows, high, wide, width).roll((1, 1), (1, 2))
        return self.head(x)


class SequenceFirst(nn.Module):
    """A transformer that keeps the batch on axis 1."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, norm_first=True)
        self.embed, self.head = nn.Linear(5, 8), nn.Linear(8, 9)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x):
        return self.head(self.encoder(self.embed(x.transpose(0, 1)))).transpose(0, 1)


class Mixer(nn.Module):
    """An MLP-mixer block with LayerScale."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Conv2d(3, 48, 4, 4), nn.LayerNorm(48)
        self.tokens, self.channels = nn.Linear(4, 4), nn.Linear(48, 48)
        self.scale, self.head = nn.Parameter(torch.full((48,), 0.2)), nn.Linear(48, 7)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = x + 0.3 * self.tokens(self.norm(x).transpose(1, 2)).transpose(1, 2)
        x = torch.addcmul(x, F.gelu(self.channels(self.norm(x))), self.scale)
        return self.head(x.mean(1))


class Recurrent(nn.Module):
    """A recurrent network read at every step."""

    def __init__(self, cell, **options):
        super().__init__()
        self.cell, self.head = cell(3, 6, batch_first=True, **options), nn.LazyLinear(4)

    def forward(self, x):
        return self.head(self.cell(x)[0])


class Several(nn.Module):
    """Two inputs that meet, a dictionary of two outputs."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.head = nn.Linear(3, 6), nn.Linear(2, 6), nn.Linear(6, 4)

    def forward(self, x, z):
        hidden = self.left(x) + self.right(z)
        return {"hidden": hidden, "answer": self.head(hidden.tanh())}


def convolutions(dimensions):
    conv, norm = getattr(nn, f"Conv{dimensions}d"), getattr(nn, f"BatchNorm{dimensions}d")
    average = getattr(nn, f"AdaptiveAvgPool{dimensions}d")
    pool = getattr(nn, f"MaxPool{dimensions}d")
    return nn.Sequential(
        conv(2, 8, 3, padding=1), norm(8), nn.ReLU(), pool(2), conv(8, 6, 3, padding=1), nn.SiLU(),
        nn.GroupNorm(2, 6), average(2), nn.Flatten(), nn.Linear(6 * 2**dimensions, 5),
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A network, event shapes of its inputs, and whether its output determines the input."""

    make: object
    shapes: tuple[tuple[int, ...], ...]
    keeps: bool = False


CASES = {
    "U-Net": Case(UNet, ((2, 8, 8),)),
    "decoder": Case(Decoder, ((4, 8),), keeps=True),
    "windowed attention": Case(Windows, ((3, 8, 8),)),
    "sequence first": Case(SequenceFirst, ((4, 5),), keeps=True),
    "mixer": Case(Mixer, ((3, 8, 8),)),
    "1-d": Case(lambda: convolutions(1), ((2, 16),)),
    "3-d": Case(lambda: convolutions(3), ((2, 4, 4, 4),)),
    "RNN": Case(lambda: Recurrent(nn.RNN), ((3, 3),)),
    "GRU": Case(lambda: Recurrent(nn.GRU), ((3, 3),)),
    "LSTM, both ways": Case(lambda: Recurrent(nn.LSTM, bidirectional=True), ((3, 3),)),
    "several": Case(Several, ((3,), (2,))),
}


def built(case) -> tuple[nn.Module, tuple[Tensor, ...]]:
    torch.manual_seed(0)
    model = case.make().eval()
    x = tuple(torch.randn(3, *shape) for shape in case.shapes)
    model(*x)  # lazy layers get their sizes
    return model.double(), tuple(value.double() for value in x)


def outputs(model, x):
    y = model(*x)
    y = tuple(y.values()) if isinstance(y, dict) else (y,)
    return tuple(value.detach() for value in y)


@pytest.mark.parametrize("name", CASES)
def test_inverted_from_the_output(name):
    model, x = built(CASES[name])
    inverse = invert(model, tuple(value[:2] for value in x) if len(x) > 1 else x[0][:2])
    assert "inverse" in str(inverse.ledger)
    y = outputs(model, x)
    found, certificate = inverse.data_free(y if len(y) > 1 else y[0])
    found = found if isinstance(found, tuple) else (found,)
    assert [value.shape for value in found] == [value.shape for value in x]
    assert len(certificate) == 3
    again = torch.cat([value.flatten(1) for value in outputs(model, found)], 1)
    wanted = torch.cat([value.flatten(1) for value in y], 1)
    torch.testing.assert_close(certificate.residual, (again - wanted).norm(dim=1) / wanted.norm(dim=1))
    if CASES[name].keeps:
        assert certificate.residual.max() < 1e-3
        torch.testing.assert_close(found[0], x[0], rtol=0.03, atol=0.03)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if len(case.shapes) == 1])
def test_inverted_from_the_middle(name):
    model, x = built(CASES[name])
    inverse = invert(model, x[0][:2])
    tap = middle(inverse)
    y = evaluate(inverse.graph, {inverse.graph.inputs[0]: x[0]}, [tap])[tap].detach()
    found, certificate = inverse.data_free(y, tap)
    assert isinstance(found, Tensor)
    assert found.shape == x[0].shape
    assert found.isfinite().all()
    assert len(certificate) == 3


def middle(inverse: Inverse) -> str:
    graph = inverse.graph
    passed = [
        n for n in graph.dominators[graph.outputs[0]] if n in graph.by_name and not graph.by_name[n].parts
    ]
    passed = sorted((n for n in passed if graph.layout(n) is not None), key=graph.order.__getitem__)
    return passed[len(passed) // 2]


class Tokens(nn.Module):
    """Token and position embeddings before a small network that keeps everything."""

    def __init__(self):
        super().__init__()
        self.table, self.positions = nn.Embedding(30, 8), nn.Embedding(5, 8)
        self.mix, self.head = nn.Linear(8, 8), nn.Linear(8, 20)

    def forward(self, tokens):
        x = self.table(tokens) + self.positions(torch.arange(tokens.shape[1]))
        return self.head(x + 0.1 * torch.tanh(self.mix(x)))


def test_indices_are_found_as_the_nearest_rows():
    torch.manual_seed(0)
    model, tokens = Tokens().double().eval(), torch.randint(0, 30, (4, 5))
    inverse = invert(model, tokens[:2])
    found, certificate = inverse.data_free(model(tokens).detach())
    assert torch.equal(found, tokens)
    assert certificate.ok
    assert "embedding" in str(inverse.ledger)
    assert torch.equal(inverse.solve(model(tokens).detach())[0], tokens)


def test_indices_that_cannot_be_told_apart_are_refused_in_words():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Embedding(4, 3), nn.Embedding(4, 3)

        def forward(self, i, j):
            return self.a(i) + self.b(j)

    example = (torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, 5, dtype=torch.long))
    with pytest.raises(NotInvertibleError, match=r"whole numbers.*behind an embedding"):
        invert(Sum(), example)(torch.randn(2, 5, 3))


def test_samples_that_are_mixed_are_refused_in_words():
    class Similarity(nn.Module):
        def forward(self, x):
            return x @ x.T

    with pytest.raises(NotInvertibleError, match="no separate part for each sample"):
        invert(Similarity(), torch.randn(2, 3))(torch.randn(2, 2))


def test_a_flat_operation_leaves_the_stepwise_answer_standing():
    """Solving jointly cannot start where the slope is zero; taking step after step can."""

    class Shrunk(nn.Module):
        def forward(self, x):
            return F.hardshrink(1.3 * x + 0.2 * x.sin(), 0.5)

    x = torch.randn(2, 8, dtype=torch.float64)
    _, certificate = invert(Shrunk(), x).data_free(Shrunk()(x))
    assert certificate.ok


class Blocks(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4)) for _ in range(depth)
        )

    def forward(self, x):
        for block in self.blocks:
            x = x + block(F.layer_norm(x, (4,)))
        return x


def test_every_block_of_a_deep_network_is_a_step_of_its_own():
    inverse = invert(Blocks(150), torch.randn(2, 4))  # 750 operations
    assert [region.guarantee for region in inverse.plan().regions] == [Guarantee.ITERATIVE] * 150


@torch.library.custom_op("preimage_tests::opaque_double", mutates_args=())
def opaque_double(x: Tensor) -> Tensor:
    """An operation without a backward pass."""
    return 2 * x + 1


@opaque_double.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def test_what_cannot_be_differentiated_is_answered_with_a_failed_certificate():
    class Foreign(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.last(torch.ops.preimage_tests.opaque_double(self.first(x)))

    model, x = Foreign(), torch.randn(3, 4)
    found, certificate = invert(model, x[:2]).data_free(model(x).detach())
    assert found.shape == x.shape
    assert not certificate.ok
    assert len(certificate) == 3


class Swaps(nn.Module):
    """Writes into slices of its own values, as some attention code does."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x):
        y = self.first(x)
        y[:, :2] += torch.tanh(y[:, 2:4])
        y[:, 4:] = y[:, 4:] * 2
        return self.last(y)


def test_writes_into_slices_are_inverted():
    model, x = Swaps().double(), torch.randn(3, 6, dtype=torch.float64)
    found, certificate = invert(model, x[:2]).data_free(model(x).detach())
    assert certificate.ok
    torch.testing.assert_close(found, x, rtol=1e-5, atol=1e-5)


def test_values_with_the_batch_on_another_axis_are_taps_like_any_other():
    class Second(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 8)

        def forward(self, x):
            return self.last(F.leaky_relu(self.first(x.transpose(0, 1)), 0.3)).transpose(0, 1)

    torch.manual_seed(0)
    model, x = Second().double(), torch.randn(3, 5, 4, dtype=torch.float64)
    inverse = invert(model, x, calibration=torch.randn(40, 5, 4, dtype=torch.float64))
    for tap, value in inverse.features(x).items():
        torch.testing.assert_close(inverse.data_free(value, tap)[0], x, rtol=1e-6, atol=1e-6)
        found, certificate = inverse.calibrated(value, tap)
        assert found.shape == x.shape
        assert len(certificate) == len(inverse.solve(value, tap)[1]) == 3
    with pytest.raises(ShapeError, match=r"\(5, N, 8\) was wanted"):
        inverse(torch.randn(3, 5, 8, dtype=torch.float64), tap="first")
