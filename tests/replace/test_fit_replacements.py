"""Replacements of whole networks: the network untouched, the errors lower than before, on held-out data."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import preimage as pi
from preimage.errors import NotInvertibleError, UnknownTapError
from preimage.replace import conversion, fingerprint, fit_decoders, fit_replacements, frozen
from preimage.replace.fit import _cuts
from preimage.training import FitSettings


class Block(nn.Module):
    """A residual block with batch norm, swish and a squeeze-and-excite gate."""

    def __init__(self, channels):
        super().__init__()
        self.first, self.second = (
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.Conv2d(channels, channels, 1),
        )
        self.norm = nn.BatchNorm2d(channels)
        self.squeeze, self.excite = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x):
        h = functional.silu(self.norm(self.first(x)))
        h = h * torch.sigmoid(self.excite(functional.silu(self.squeeze(h.mean((2, 3), keepdim=True)))))
        return x + self.second(h)


def network():
    torch.manual_seed(5)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3, stride=2, padding=1),
        nn.BatchNorm2d(6),
        nn.SiLU(),
        Block(6),
        nn.AdaptiveAvgPool2d(1),
    )
    net.extend([nn.Flatten(), nn.Linear(6, 5)])
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return net.eval()


def pictures(rows=400):
    """Smooth pictures of one bright spot, 8 x 8."""
    centre, width = 2 + 4 * torch.rand(rows, 2, 1, 1), 1 + torch.rand(rows, 1, 1)
    axis = torch.arange(8.0)
    square = (axis[:, None] - centre[:, 0]) ** 2 + (axis[None] - centre[:, 1]) ** 2
    return torch.exp(-square / (2 * width**2))[:, None]


def quick(**settings):
    return FitSettings(
        **({"epochs": 12, "batch_size": 32, "learning_rate": 3e-3, "progress": False} | settings)
    )


@pytest.fixture(scope="module")
def fitted():
    torch.manual_seed(0)
    net, x = network(), pictures()
    before = fingerprint(net)
    stages = []
    inverse = fit_replacements(net, x, settings=quick(), progress=lambda *done: stages.append(done))
    return net, x, before, inverse, stages


@pytest.mark.shows("0-9", "0-20")
def test_the_network_is_bit_for_bit_as_before(fitted):
    net, _, before, inverse, stages = fitted
    assert fingerprint(net) == before
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert not net.training
    shared = {p.data_ptr() for p in net.parameters()} & {p.data_ptr() for p in inverse.parameters()}
    assert not shared
    assert {stage for stage, _, _ in stages} == {"closed forms", "layer by layer", "end to end"}


@pytest.mark.shows("0-9", "0-20")
def test_training_improves_the_closed_forms_on_held_out_data(fitted):
    line = fitted[3].table["input"]
    assert line.closed_form < 1.0  # better than the mean picture
    assert line.end_to_end < 0.97 * line.closed_form
    assert line.end_to_end <= 1.02 * line.layer_by_layer
    heads, *rows = str(fitted[3].table).splitlines()
    assert heads.split() == ["value", "closed", "form", "layer", "by", "layer", "end", "to", "end"]
    assert rows[-1].startswith("features")
    assert fitted[3].table.to_dict()[-2]["value"] == "input"


@pytest.mark.shows("0-20")
def test_the_answer_carries_its_evidence(fitted):
    net, x, _, inverse, _ = fitted
    y = net(x[:4]).detach()
    found, certificate = inverse.answer(y)
    assert found.shape == x[:4].shape
    wanted = (net(found) - y).norm(dim=1) / y.norm(dim=1)
    torch.testing.assert_close(certificate.residual, wanted.detach(), rtol=1e-3, atol=1e-5)
    assert torch.isnan(inverse(y, on_error="nan")[~certificate.converged]).all()
    assert len(inverse.report().splitlines()) == len(inverse.stages)


@pytest.mark.shows("0-15")
def test_the_estimate_before_a_pool_pools_to_y(fitted):
    inverse = fitted[3]
    pool = inverse.names.index(next(name for name in inverse.names if "pool" in name))
    y = torch.randn(3, 6, 1, 1)
    with torch.no_grad():
        found = inverse.stages[pool](y)
    torch.testing.assert_close(found.mean((2, 3), keepdim=True), y, rtol=1e-3, atol=1e-3)


def test_saved_replacements_answer_as_before(fitted):
    net, x, _, inverse, _ = fitted
    again = fit_replacements(net, x, settings=quick(steps=1))
    again.load_state_dict(inverse.state_dict())
    y = net(x[:4]).detach()
    with torch.no_grad():
        assert torch.equal(again(y), inverse(y))


def test_steps_that_lose_nothing_keep_their_rule():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(4, 6), nn.LeakyReLU(0.3), nn.Linear(6, 6), nn.Tanh()).eval()
    x = torch.randn(60, 4)
    inverse = fit_replacements(net, x, settings=quick(epochs=1))
    assert sum(p.numel() for p in inverse.parameters()) == 0
    torch.testing.assert_close(inverse(net(x).detach()), x, rtol=1e-2, atol=1e-2)
    assert inverse.table["input"].end_to_end < 1e-2


def test_taps_and_starts_are_chosen():
    net, x = network(), pictures(40)
    inverse = fit_replacements(net, x, tap="3", taps=["0"], settings=quick(epochs=1))
    assert len(inverse.stages) == 2
    assert inverse(net[:4](x[:2])).shape == (2, 1, 8, 8)
    with pytest.raises(UnknownTapError):
        fit_replacements(net, x, tap="nowhere")
    with pytest.raises(NotInvertibleError, match="sources"):
        fit_replacements(net, x[:3])
    with pytest.raises(ValueError, match="held_out"):
        fit_replacements(net, x, held_out=0.0)
    two = pi.invert(nn.Bilinear(2, 2, 2).eval(), (torch.zeros(1, 2), torch.zeros(1, 2))).graph
    with pytest.raises(NotInvertibleError, match="one input"):
        _cuts(two, None, None)
    with pytest.raises(NotInvertibleError, match="2 inputs"):
        conversion(pi.invert(nn.Bilinear(2, 2, 2).eval(), (torch.zeros(1, 2), torch.zeros(1, 2))), x)
    with pytest.raises(NotInvertibleError, match="training mode"):
        fit_replacements(network().train(), x)


@pytest.mark.shows("0-20")
def test_freezing_lasts_as_long_as_the_block():
    linear = nn.Linear(2, 2)
    linear.bias.requires_grad_(False)
    with pytest.raises(RuntimeError, match="does not require grad"), frozen(linear):
        linear(torch.ones(1, 2)).sum().backward()
    assert [p.requires_grad for p in linear.parameters()] == [True, False]


def test_trained_decoders_improve_the_closed_form_and_leave_the_network_alone():
    torch.manual_seed(0)
    net, x = network(), pictures()
    before, inverse = fingerprint(net), pi.invert(net, x[:1], taps=["3", "4"])
    data = pi.Calibration(x)
    decoders = fit_decoders(inverse, data, taps=("4",), settings=quick(), width=16)
    line = decoders.tables["4"]["input"]
    assert line.end_to_end < 0.97 * line.closed_form
    assert fingerprint(net) == before
    y = inverse.features(x[:3], ["4"])["4"]
    found, certificate = decoders.answer(y, "4")
    assert found.shape == (3, 1, 8, 8)
    assert len(certificate) == 3
    with pytest.raises(UnknownTapError, match="no decoder"):
        decoders(y, "3")


@pytest.mark.shows("0-19")
def test_a_network_with_gates_swish_and_residuals_is_rebuilt_backwards():
    net, x = network().double(), pictures(6).double()
    inverse = pi.invert(net, x[:1], taps=["3"])
    report = conversion(inverse, x)
    assert [run.tap for run in report.runs] == ["3", "output"]
    assert all(run.forward_against_target < 1e-3 for run in report.runs)
    text = str(report)
    assert all(word in text for word in ("approximate", "exact", "from output (data-free)"))
    assert 0 < report.exact_share < 1
    assert len(report.to_dict()["runs"]) == 2
