"""Bijections of the library inside a network are inverted by themselves, not by a search."""

import pytest
import torch
from torch import Tensor, nn

import preimage as pi
from preimage import flows, layers
from preimage.inverse.planning.guarantee import Guarantee


class Twice(nn.Module):
    """One module, called twice."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(2.0 * self.module(x))


class AtOnce(Twice):
    """One module, called twice with nothing in between."""

    def forward(self, x: Tensor) -> Tensor:
        return self.module(self.module(x))


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def spline(features: int = 4, **options: int) -> pi.Bijection:
    return flows.nsf(features, transforms=1, hidden_features=(8,), bins=3, **options).bijection.double()


def around(module: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), module, nn.Linear(4, 6)).double().eval()


def test_a_flow_between_layers_loses_nothing() -> None:
    network, x = around(spline()), torch.randn(5, 4).double()
    inverse = pi.invert(network, x)
    assert inverse.plan().guarantee is Guarantee.LEFT
    assert [step.kind for step in inverse.plan().steps] == ["affine", "module", "affine"]  # type: ignore[union-attr]
    back, certificate = inverse.data_free(network(x).detach())
    assert certificate.ok
    assert torch.allclose(back, x, atol=1e-10)  # type: ignore[arg-type]


@pytest.mark.parametrize("network", [Twice(spline()), AtOnce(spline())])
def test_every_call_of_a_shared_flow_is_undone(network: nn.Module) -> None:
    x = torch.randn(5, 4).double()
    inverse = pi.invert(network.eval(), x)
    assert inverse.plan().guarantee is Guarantee.EXACT
    back, certificate = inverse.data_free(network(x).detach())
    assert certificate.ok
    assert torch.allclose(back, x, atol=1e-10)  # type: ignore[arg-type]


def test_log_det_of_a_traced_network_with_a_flow_in_it() -> None:
    network = nn.Sequential(nn.Linear(4, 4), spline()).double().eval()
    traced, x = pi.Traced(network, torch.zeros(1, 4).double()), torch.randn(3, 4).double()
    y, log_det = traced.forward_and_log_det(x)
    jacobians = [torch.autograd.functional.jacobian(lambda v: network(v[None])[0], row) for row in x]
    wanted = torch.stack([torch.linalg.slogdet(matrix)[1] for matrix in jacobians])  # type: ignore[arg-type]
    assert torch.allclose(log_det, wanted)
    assert torch.allclose(traced.inverse_and_log_det(y)[1], -wanted)


def test_values_out_of_range_are_no_success() -> None:
    network = nn.Sequential(nn.Linear(4, 4), layers.Sigmoid()).eval()
    y = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 1.5]])
    back, certificate = pi.invert(network, y).data_free(y)
    assert certificate.converged.tolist() == [True, False]
    assert isinstance(back, Tensor)
    assert back.isfinite().all()


def test_a_flow_with_a_context_is_taken_operation_by_operation() -> None:
    class Given(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flow = spline(2, context=3)
            self.register_buffer("context", torch.randn(1, 3).double())

        def forward(self, x: Tensor) -> Tensor:
            return self.flow(x, self.context.expand(len(x), 3))

    network, x = Given().eval(), torch.randn(2, 2).double()
    back, certificate = pi.invert(network, x).data_free(network(x).detach())
    assert certificate.ok
    assert torch.allclose(network(back), network(x), atol=1e-6)


def test_a_rule_of_ones_own_sees_every_call() -> None:
    class Cube(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x**3 + torch.zeros_like(x)

    calls: list[int] = []

    @pi.register_inverse(Cube)
    def cube(site: pi.Site, y: Tensor) -> pi.Solved:
        calls.append(len(site.nodes))
        return pi.Solved(y.sign() * y.abs() ** (1 / 3))

    back, certificate = pi.invert(AtOnce(Cube()), torch.ones(1, 2)).data_free(torch.tensor([[512.0, -1.0]]))
    assert certificate.ok
    assert torch.allclose(back, torch.tensor([[2.0, -1.0]]))  # type: ignore[arg-type]
    assert len(calls) == 2
