"""Networks of every kind: captured, planned, printed, and inverted from both ends without a crash."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from covered_networks import Decoder, Mixer, Recurrent, SequenceFirst, Several, UNet, Windows, convolutions
from torch import Tensor, nn

from preimage.capture import evaluate
from preimage.errors import NotInvertibleError, ShapeError
from preimage.inverse import Guarantee, Inverse, invert


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
