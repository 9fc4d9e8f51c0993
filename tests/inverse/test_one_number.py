"""Networks whose outputs or inputs are one number a sample, ``(N,)``: regression, energies, times."""

import pytest
import torch
from torch import Tensor, nn

import preimage as pi
from preimage.errors import NonFiniteError


class Energy(nn.Module):
    """``(N, 4) -> (N,)`` by operations without a rule."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.logsumexp(self.linear(torch.sin(x) * x.roll(1, 1)), 1)


class Timed(nn.Module):
    """``(N, 4), (N,) -> (N, 5), (N,)``."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 5)

    def forward(self, x: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.linear(x) * time[:, None].exp()
        return hidden, hidden.sum(1) * time


class Wave(nn.Module):
    """``(N,) -> (N,)``, a residual block."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.3 * torch.sin(2 * x) * torch.cos(x)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_energies_have_preimages() -> None:
    network = Energy().eval()
    inverse = pi.invert(network, torch.zeros(2, 4))
    y = network(torch.randn(3, 4)).detach()
    for x, certificate in (inverse.data_free(y), inverse.solve(y), inverse.minimum_norm(y)):  # type: ignore[misc]
        assert certificate.ok
        assert isinstance(x, Tensor)
        assert x.shape == (3, 4)
        assert torch.allclose(network(x), y, rtol=1e-4)
    assert inverse.null_space(torch.randn(1, 4)).dimension == 3


def test_several_values_one_of_them_a_number() -> None:
    network, inputs = Timed().eval(), (torch.randn(3, 4), torch.rand(3))
    inverse = pi.invert(network, inputs)
    back, certificate = inverse.solve(network(*inputs))
    assert certificate.ok
    assert back[1].shape == (3,)
    assert torch.allclose(back[0], inputs[0], atol=1e-3)
    assert torch.allclose(back[1], inputs[1], atol=1e-3)


def test_a_function_of_one_number() -> None:
    inverse, x = pi.invert(Wave(), torch.zeros(2)), torch.randn(5)
    for back, certificate in (inverse.data_free(Wave()(x)), inverse.solve(Wave()(x))):
        assert certificate.ok
        assert isinstance(back, Tensor)
        assert back.shape == x.shape
        assert torch.allclose(back, x, atol=1e-4)


def test_one_number_is_calibrated() -> None:
    network, data = Energy().eval(), torch.randn(40, 4)
    inverse = pi.invert(network, data[:1], calibration=data)
    x, certificate = inverse.calibrated(network(data[:3]).detach())
    assert x.shape == (3, 4)
    assert len(certificate) == 3


def test_nan_is_refused_by_name() -> None:
    inverse = pi.invert(Energy().eval(), torch.zeros(2, 4))
    with pytest.raises(NonFiniteError, match="in 1 of 2 samples"):
        inverse.data_free(torch.tensor([1.0, float("nan")]))


def test_places_beside_numbers() -> None:
    class Both(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x.argmax(1)

    x = torch.randn(3, 6)
    back, certificate = pi.invert(Both(), x).data_free(Both()(x))
    assert certificate.ok
    assert isinstance(back, Tensor)
    assert torch.equal(back, x)
