"""Continuation on systems where Newton's method gets stuck, against known solutions and bounds."""

import pytest
import torch
from torch import nn

import preimage as pi
from preimage.inverse.solvers.nonlinear.continuation import continuation
from preimage.inverse.solvers.nonlinear.dense_newton import dense_newton


class Inverted(nn.Module):
    """A residual block of the mobile kind, with a branch that is no contraction."""

    def __init__(self, channels, gain):
        super().__init__()
        wide = 6 * channels
        self.expand, self.mix = nn.Conv2d(channels, wide, 1), nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.project = nn.Conv2d(wide, channels, 1)
        with torch.no_grad():
            for layer in (self.expand, self.mix, self.project):
                layer.weight.mul_(gain)

    def forward(self, x):
        return x + self.project(nn.functional.relu6(self.mix(nn.functional.relu6(self.expand(x)))))


def folded(x):
    """Not monotone: most values have three preimages."""
    return x + 3 * x.sin()


def test_a_folded_function_is_solved_for_every_value():
    y = torch.linspace(-12, 12, 97, dtype=torch.float64)[:, None]
    x, certificate = continuation(folded, y, torch.zeros_like(y), tolerance=1e-9, steps=200)
    assert certificate.converged.all()
    assert (folded(x) - y).abs().max() <= 1e-7


def test_blocks_that_stop_newton_are_solved():
    torch.manual_seed(3)
    solved = {"newton": 0, "continuation": 0}
    for _ in range(6):
        block = Inverted(6, 2.6).double()
        y = block(2 * torch.randn(1, 6, 3, 3, dtype=torch.float64)).detach()
        solved["newton"] += int(dense_newton(block, y, y, tolerance=1e-9)[1].ok)
        x, certificate = continuation(block, y, y, tolerance=1e-9)
        solved["continuation"] += int(certificate.ok)
        missed = ((block(x) - y).norm() / y.norm()).item()
        assert certificate.ok == (missed <= 1e-9)
    assert solved["continuation"] > solved["newton"]


def test_a_system_without_a_solution_is_not_called_solved():
    y = torch.full((1, 1), -4.0, dtype=torch.float64)
    _, certificate = continuation(lambda x: x.square() + 1, y, torch.ones_like(y), tolerance=1e-9)
    assert not certificate.ok
    assert "before the path did" in certificate.message


def test_no_samples_and_a_start_that_is_the_solution():
    empty = torch.zeros(0, 3)
    assert continuation(folded, empty, empty, tolerance=1e-6)[0].shape == (0, 3)
    x = torch.tensor([[0.3, 2.0]], dtype=torch.float64)
    found, certificate = continuation(folded, folded(x), x, tolerance=1e-9)
    assert torch.equal(found, x)
    assert certificate.ok


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_residual_block_of_a_network_is_solved_by_the_inverse(dtype):
    torch.manual_seed(8)
    block = Inverted(4, 2.6).to(dtype).eval()
    y = block(2 * torch.randn(3, 4, 3, 3, dtype=dtype)).detach()
    answer, certificate = pi.invert(block, torch.zeros(1, 4, 3, 3, dtype=dtype)).data_free(y)
    again = ((block(answer) - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)).detach()
    assert certificate.ok
    assert again.max() <= (1e-4 if dtype == torch.float32 else 1e-9)
