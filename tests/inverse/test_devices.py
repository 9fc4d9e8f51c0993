"""One engine on any device and in any precision, tested where there is one device only.

Tensors that are made without naming a device are marked. On a network that lives elsewhere they would lie on
the wrong device, so they may meet the network's own tensors only after they were moved to these. Numbers (no
axes) and indices may lie anywhere.
"""

import sys

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

import preimage as pi
from preimage.capture import capture
from preimage.certificate import relative_residual
from preimage.inverse.invert import calibrate, cut_points

FACTORIES = {
    torch.arange,
    torch.empty,
    torch.eye,
    torch.full,
    torch.hann_window,
    torch.linspace,
    torch.ones,
    torch.rand,
    torch.randint,
    torch.randn,
    torch.tensor,
    torch.zeros,
}
ACROSS = {Tensor.__getitem__, Tensor.copy_}


class Elsewhere(TorchFunctionMode):
    """As if the network were on another device: collects where both would have met."""

    def __init__(self):
        super().__init__()
        self.marked, self.met = {}, []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        result = function(*args, **kwargs)
        ours = [t for t in given if id(t) in self.marked and t.dim()]
        others = [t for t in given if id(t) not in self.marked and t.dim()]
        names_a_device = kwargs.get("device") is not None or any(isinstance(a, torch.device) for a in args)
        if function in FACTORIES and not given and not names_a_device:
            self._mark(result)
        elif function is Tensor.to and (others or names_a_device):
            result = result.clone()  # where nothing had to be moved, the marked tensor itself comes back
        elif ours and others and function not in ACROSS:
            frame = sys._getframe()
            while frame.f_back is not None and "/preimage/" not in frame.f_code.co_filename:
                frame = frame.f_back
            self.met.append(f"{function.__name__}: {frame.f_code.co_filename}, line {frame.f_lineno}")
        elif ours and not others:
            self._mark(result)
        return result

    def _mark(self, result):
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self.marked[id(tensor)] = tensor


def test_the_detector_detects():
    x = torch.ones(3)
    with Elsewhere() as mode:
        _ = x + torch.arange(3)
    assert len(mode.met) == 1
    with Elsewhere() as mode:
        _ = x + torch.arange(3).to(x) + torch.eye(3, device=x.device)[0] + torch.tensor(2.0)
    assert not mode.met


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 6, 1)
        )

    def forward(self, x):
        return x + 0.2 * self.body(x)


def picture_network():
    stem = [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU6()]
    head = [nn.AvgPool2d(2), nn.SiLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6, 4), nn.Sigmoid()]
    return nn.Sequential(*stem, Block(), nn.Conv2d(6, 6, 3, padding=1, groups=6), *head).eval()


@pytest.fixture(scope="module", params=[torch.float32, torch.float64], ids=["float32", "float64"])
def made(request):
    torch.manual_seed(0)
    network = picture_network().to(request.param)
    x = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(1)).to(request.param)
    return network, x, capture(network, x[:1])


def test_data_free_answers_stay_on_their_device(made):
    _, x, graph = made
    inverse = pi.Inverse(graph, cut_points(graph))
    with Elsewhere() as mode:
        for tap, y in list(inverse.features(x[:1]).items())[::5]:
            found, certificate = inverse.data_free(y, tap)
            assert found.dtype == y.dtype
            assert certificate.residual.dtype == y.dtype
    assert not mode.met


def test_the_ledger_stays_on_the_device(made):
    _, _, graph = made
    with Elsewhere() as mode:
        assert pi.Inverse(graph, cut_points(graph)).ledger.rows
    assert not mode.met


def test_calibration_and_refinement_stay_on_their_device(made):
    _, x, graph = made
    names = dict(list(cut_points(graph).items())[:3])
    with Elsewhere() as mode:
        inverse = pi.Inverse(graph, names, calibrate(graph, names, pi.Calibration(x)))
        for tap, y in inverse.features(x[:2]).items():
            assert inverse.calibrated(y, tap)[0].dtype == y.dtype
            assert inverse.solve(y, tap, max_products=12)[0].dtype == y.dtype
    assert not mode.met


def test_a_network_that_changes_precision_after_capture_keeps_its_inverse(made):
    _, x, _ = made
    torch.manual_seed(0)
    network = picture_network()
    inverse = pi.invert(network, x[:1].float())
    network.double()
    y = network(x[:2].double()).detach()
    wanted = pi.invert(network, x[:1].double()).data_free(y)[0]
    torch.testing.assert_close(inverse.data_free(y)[0], wanted)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_one_capture_serves_every_batch_size(made, batch):
    network, x, graph = made
    inverse = pi.Inverse(graph, cut_points(graph))
    y = network(x[:batch]).detach()
    found, certificate = inverse.data_free(y)
    assert found.shape == (batch, 3, 8, 8)
    assert len(certificate) == batch
    torch.testing.assert_close(relative_residual(network(found), y).detach(), certificate.residual)
