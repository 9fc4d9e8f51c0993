"""What is no fixed network is refused with a sentence that says what to write."""

import pytest
import torch
from torch import Tensor, nn

import preimage as pi
from preimage.capture import capture
from preimage.errors import CaptureError, NonFiniteError, NotInvertibleError, PreimageError


class Attends(nn.Module):
    """Attention that forgets to ask whether it is trained."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=0.1)


def linear() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.LeakyReLU()).eval()


def exported() -> torch.export.ExportedProgram:
    return torch.export.export(linear(), (torch.randn(3, 4),))


REFUSED = [
    (lambda: lambda x: x, CaptureError, "wrap it in an nn.Module"),
    (lambda: nn.Identity, CaptureError, r"Identity\(\.\.\.\)"),
    (lambda: nn.Linear(2, 2).state_dict(), CaptureError, "load_state_dict"),
    (lambda: "resnet18", CaptureError, "give the network itself"),
    (exported, CaptureError, r"program\.module\(\)"),
    (lambda: linear().to("meta"), CaptureError, "to_empty"),
    (lambda: nn.BatchNorm1d(4, track_running_stats=False).eval(), NotInvertibleError, "running statistics"),
    (nn.RReLU, NotInvertibleError, r"model\.eval\(\)"),
    (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), NotInvertibleError, "at every call"),
]


@pytest.mark.parametrize(("make", "kind", "words"), REFUSED)
def test_refused(make, kind: type[PreimageError], words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(kind, match=words):
        capture(make(), torch.zeros(2, 4))


def test_attention_with_dropout() -> None:
    with pytest.raises(NotInvertibleError, match="dropout_p"):
        capture(Attends().eval(), torch.zeros(2, 3, 4))


@pytest.mark.parametrize("example", [torch.zeros(1, 5), torch.zeros(1, 4, dtype=torch.uint8)])
def test_an_example_that_the_network_cannot_take(example: Tensor, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CaptureError, match=r"forward pass fails on the example \(1, ."):
        capture(linear(), example)
    assert "Traceback" not in capfd.readouterr().err


def test_only_the_shape_of_an_example_matters() -> None:
    assert capture(linear(), torch.zeros(2, 4).double()).size("linear") == 6


def test_a_module_that_came_out_of_an_export() -> None:
    graph = capture(exported().module(), torch.zeros(3, 4))
    assert [node.operation for node in graph.nodes] == ["linear", "leaky_relu"]


class Counts(nn.Module):
    """A buffer that counts the calls; with ``reads`` the output depends on it."""

    calls: Tensor

    def __init__(self, *, assigns: bool, reads: bool) -> None:
        super().__init__()
        self.linear, self.assigns, self.reads = nn.Linear(4, 6), assigns, reads
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.assigns:
            self.calls = self.calls + 1
        else:
            self.calls += 1
        return self.linear(x) * (self.calls if self.reads else 1.0)


@pytest.mark.parametrize("assigns", [True, False])
def test_a_counter_that_nobody_reads_is_no_obstacle(assigns: bool) -> None:
    network, x = Counts(assigns=assigns, reads=False).eval(), torch.randn(3, 4)
    back, certificate = pi.invert(network, x).data_free(network(x).detach())
    assert certificate.ok
    assert torch.allclose(back, x, atol=1e-5)  # type: ignore[arg-type]
    with pytest.raises(CaptureError, match="without side effects"):
        capture(Counts(assigns=assigns, reads=True).eval(), x)


def test_sizes_that_depend_on_values() -> None:
    class Picks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[x > 0]

    with pytest.raises(CaptureError, match="size depends on the values"):
        capture(Picks(), torch.randn(2, 4))


def test_weights_that_are_none() -> None:
    with pytest.raises(CaptureError, match="lazy layer"):
        capture(nn.LazyLinear(3).eval(), torch.zeros(2, 4))
    network = nn.Linear(4, 6).eval()
    nn.init.constant_(network.weight, float("nan"))
    with pytest.raises(NonFiniteError, match="'weight' holds NaN"):
        capture(network, torch.zeros(2, 4))
