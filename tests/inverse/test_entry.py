"""Inverses are asked in the containers, modes and words that users have."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import preimage as pi
from preimage.errors import (
    CaptureError,
    DomainError,
    NotConvergedError,
    NotInvertibleError,
    NotSupportedError,
    ShapeError,
    UnknownTapError,
)
from preimage.inverse.calibration import gathered
from preimage.inverse.solvers.nonlinear.jacobian import Jacobian


class TwoHeads(nn.Module):
    """A dictionary with a list in it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 6), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> dict[str, object]:
        return {"logits": self.second(x), "more": [self.first(x), None]}


class Sum(nn.Module):
    """Two inputs, two outputs."""

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return a + b, a - b


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def folding() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 6), nn.LeakyReLU(0.2), nn.Linear(6, 3)).eval()


def test_what_a_network_returns_goes_back_as_it_is() -> None:
    network, x = TwoHeads().eval(), torch.randn(3, 5)
    back = pi.invert(network, x)(network(x))  # type: ignore[arg-type]
    assert torch.allclose(back, x, atol=1e-5)  # type: ignore[arg-type]


def test_lists_are_tuples() -> None:
    a, b = torch.randn(3, 4), torch.randn(3, 4)
    inverse = pi.invert(Sum(), (a, b))
    found = inverse([a + b, a - b])  # type: ignore[arg-type]
    assert torch.allclose(found[0], a, atol=1e-6)
    assert torch.allclose(inverse.solve([a + b, a - b])[0][1], b, atol=1e-6)  # type: ignore[arg-type]


def test_inference_mode_changes_no_answer() -> None:
    network = folding()
    inverse = pi.invert(network, torch.zeros(1, 8))
    with torch.inference_mode():
        y = network(torch.randn(2, 8))
        asked = (inverse.data_free(y), inverse.solve(y), inverse.minimum_norm(y), inverse.sample(y, 2))
        space = inverse.null_space(torch.randn(1, 8))
        dimension, moved = space.dimension, space.move(1.0)
    assert all(certificate.ok for _, certificate in asked)
    assert dimension.tolist() == [5]  # and not 8, as if every derivative were zero
    assert moved.certificate.ok
    x, certificate = inverse.solve(y)  # made in inference mode, asked outside
    assert certificate.ok
    assert torch.allclose(network(x), y, atol=1e-4)


def test_no_derivative_is_taken_for_zero() -> None:
    with torch.inference_mode(), pytest.raises(NotSupportedError, match="inference_mode"):
        Jacobian(torch.sin, torch.ones(1, 2))


def test_weights_of_inference_mode_are_refused() -> None:
    with torch.inference_mode():
        network = folding()
    with pytest.raises(CaptureError, match="weights were wanted"):
        pi.invert(network, torch.zeros(1, 8))


def test_calibration_from_wherever_the_data_are() -> None:
    network, data = folding(), torch.randn(12, 8)
    y, labelled = network(data[:2]).detach(), TensorDataset(data, torch.arange(12))
    wanted = pi.invert(network, data[:1], data)(y)
    for given in (data.numpy(), list(data), labelled, DataLoader(labelled, batch_size=5)):
        assert torch.equal(pi.invert(network, data[:1], given)(y), wanted)  # type: ignore[arg-type]


UNEVEN = [torch.zeros(2), torch.zeros(3)]


@pytest.mark.parametrize("data", ["pictures/", {"x": torch.zeros(2, 3)}, 3, UNEVEN, []])
def test_data_that_are_none(data: object) -> None:
    with pytest.raises(ShapeError, match="wanted"):
        gathered(data)  # type: ignore[arg-type]


def test_a_network_of_two_inputs_is_not_calibrated() -> None:
    inputs = torch.randn(4, 3), torch.randn(4, 3)
    with pytest.raises(NotInvertibleError, match="takes 2"):
        pi.invert(Sum(), inputs, inputs[0])


def test_taps_by_module() -> None:
    network, x = folding(), torch.randn(2, 8)
    inverse = pi.invert(network, x, taps=[network[0]])
    y = inverse.features(x)["0"]
    assert torch.equal(inverse(y, tap=network[0]), inverse(y, tap="0"))  # type: ignore[arg-type]
    assert pi.invert(network, x, taps="1").taps == ("1",)
    with pytest.raises(UnknownTapError, match="no part of the network"):
        inverse(y, tap=nn.Linear(8, 6))  # type: ignore[arg-type]
    for wrong in (3, nn.Linear):
        with pytest.raises(UnknownTapError, match="a module path or a module"):
            inverse(y, tap=wrong)  # type: ignore[arg-type]


def test_one_policy_for_several_inputs() -> None:
    class Saturated(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
            return torch.tanh(a + b), a - b

    inverse = pi.invert(Saturated(), (torch.zeros(2, 3), torch.zeros(2, 3)))
    y = torch.tensor([[0.5] * 3, [9.0] * 3]), torch.zeros(2, 3)
    with pytest.raises(NotConvergedError, match="1 of 2 samples"):
        inverse(y, on_error="raise")
    a, b = inverse(y, on_error="nan")
    for found in (a, b):
        assert found.isnan().any(1).tolist() == [False, True]
    with pytest.raises(DomainError, match="on_error='ignore'"):
        inverse(y, on_error="ignore")  # type: ignore[arg-type]


def test_limits_that_mean_nothing() -> None:
    inverse, y = pi.invert(folding(), torch.zeros(1, 8)), torch.randn(1, 3)
    with pytest.raises(DomainError, match="tolerance of -1"):
        inverse.solve(y, tol=-1)
    with pytest.raises(ShapeError, match="classes 'cat'"):
        inverse.class_preimage("cat")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_solved_as_far_as_it_goes(dtype: torch.dtype) -> None:
    network = nn.Sequential(nn.Linear(6, 9), nn.LeakyReLU(0.2)).eval().to(dtype)
    x = torch.randn(2, 6).to(dtype)
    inverse = pi.invert(network, x)
    y = network(x).detach()
    assert inverse.data_free(y)[1].ok
    best, _ = inverse.solve(y)
    assert torch.allclose(network(best).float(), y.float(), atol=20 * torch.finfo(dtype).eps)  # type: ignore[operator]
