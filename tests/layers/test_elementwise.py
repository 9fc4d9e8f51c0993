"""Elementwise bijections: ranges, values, log-dets."""

import inspect
import math

import pytest
import torch
from torch import Tensor, nn

from preimage import Chain
from preimage.bijection import Bijection
from preimage.errors import DomainError, NotInvertibleError
from preimage.layers import (
    ELU,
    SELU,
    Affine,
    Asinh,
    Baird,
    Bias,
    Elementwise,
    Exp,
    LeakyReLU,
    LearnedRangeCompression,
    Log,
    Logit,
    LogNorm,
    MonotonicPReLU,
    PReLU,
    RangeClamp,
    RangeCompression,
    Recording,
    Sigmoid,
    SignedSine,
    SignedTanh,
    Sinh,
    Softplus,
    Softsign,
    Tanh,
    TapLoss,
    from_activation,
    range_penalty,
)

DOUBLE = torch.float64


def _double(*values: float) -> Tensor:
    return torch.tensor([values], dtype=DOUBLE)


def _round_trip_error(layer: Bijection, x: Tensor) -> float:
    back = layer.inverse(layer(x))
    return ((back - x).abs() / (1 + x.abs())).max().item()


@pytest.mark.shows("0-4", "3-5")
@pytest.mark.parametrize(
    ("layer", "reach"),
    [
        (Sigmoid(), 15.0),
        (Tanh(), 7.0),
        (Softsign(), 1e3),
        (Softplus(), 700.0),
        (ELU(), 15.0),
        (SELU(), 15.0),
        (LeakyReLU(), 1e6),
        (PReLU().double(), 1e6),
        (Asinh(), 1e100),
        (Sinh(), 700.0),
    ],
)
def test_round_trip_over_the_range(layer: Bijection, reach: float) -> None:
    x = torch.linspace(-1, 1, 401, dtype=DOUBLE).mul(reach)[None]
    back = layer.inverse(layer(x))
    _, log_det = layer.inverse_and_log_det(layer(x))
    slope = layer.forward_and_log_det(x.T)[1].exp()  # one element a row
    allowed = 4e-16 * (4 + layer(x).abs() / slope.clamp_min(1e-300))  # what rounding y costs
    assert ((back - x).abs() <= allowed + 1e-15 * x.abs()).all()
    assert log_det.isfinite().all()


@pytest.mark.shows("0-4")
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_sigmoid_at_1e_minus_20_and_at_30(dtype: torch.dtype) -> None:
    y = torch.tensor([[1e-20]], dtype=dtype)
    x, log_det = Sigmoid().inverse_and_log_det(y)
    assert x.item() == pytest.approx(math.log(1e-20), rel=1e-6)
    assert log_det.item() == pytest.approx(-math.log(1e-20), rel=1e-6)
    for layer in (Sigmoid(), Tanh()):
        for far in (-30.0, 30.0):
            assert layer.forward_and_log_det(torch.tensor([[far]], dtype=dtype))[1].isfinite().all()
    assert _round_trip_error(Sigmoid(), torch.tensor([[-30.0]], dtype=dtype)) < 1e-6


@pytest.mark.shows("0-4")
def test_log_dets_at_30_are_exact() -> None:
    assert Sigmoid().forward_and_log_det(_double(30))[1].item() == pytest.approx(
        -30 - 2 * math.log1p(math.exp(-30)), rel=1e-15
    )
    assert Tanh().forward_and_log_det(_double(30))[1].item() == pytest.approx(
        math.log(4) - 60 - 2 * math.log1p(math.exp(-60)), rel=1e-15
    )


@pytest.mark.shows("0-4", "3-5")
@pytest.mark.parametrize(
    ("layer", "outside", "named"),
    [
        (Sigmoid(), [0.0, 1.0, -0.1, 2.0], "open interval (0, 1)"),
        (Tanh(), [-1.0, 1.0, 1.5], "open interval (-1, 1)"),
        (Softsign(), [-1.0, 1.0, 1.5], "open interval (-1, 1)"),
        (Softplus(), [0.0, -1.0], "open interval (0, inf)"),
        (Exp(), [0.0, -1.0], "open interval (0, inf)"),
        (ELU(), [-1.0, -2.0], "open interval (-1, inf)"),
        (SELU(), [-1.7580993408473766, -2.0], "open interval (-1.7581, inf)"),
        (RangeCompression(-2, 3), [-2.0, 3.0, 7.0], "open interval (-2, 3)"),
    ],
)
def test_outside_of_the_range_is_refused_by_name(layer: Bijection, outside: list[float], named: str) -> None:
    for value in outside:
        with pytest.raises(DomainError) as caught:
            layer.inverse(_double(value))
        assert named in str(caught.value)
        x, certificate = layer.certified_inverse(_double(value), on_error="nan")
        assert x.isnan().all()
        assert not certificate.ok


@pytest.mark.shows("3-5")
def test_selu_bound_is_that_of_its_constants() -> None:
    lowest = SELU()(_double(-1e4)).item()
    assert lowest == pytest.approx(-1.7580993408473766, abs=1e-15)


@pytest.mark.parametrize(
    ("layer", "module"),
    [
        (Sigmoid(), nn.Sigmoid()),
        (Tanh(), nn.Tanh()),
        (Softsign(), nn.Softsign()),
        (Softplus(), nn.Softplus(threshold=1000)),
        (ELU(1.5), nn.ELU(1.5)),
        (SELU(), nn.SELU()),
    ],
)
def test_values_are_those_of_torch(layer: Bijection, module: nn.Module) -> None:
    x = torch.linspace(-30, 30, 601, dtype=DOUBLE)[None]
    torch.testing.assert_close(layer(x), module(x), rtol=1e-14, atol=1e-15)


def test_events_without_dimensions() -> None:
    y, log_det = Sigmoid().forward_and_log_det(torch.zeros(5))
    assert y.shape == log_det.shape == (5,)


@pytest.mark.shows("1-3")
def test_no_inverse_sees_the_original_input() -> None:
    for layer in (SignedTanh, SignedSine, MonotonicPReLU, Baird, Sigmoid):
        assert list(inspect.signature(layer.inverse).parameters) == ["self", "y", "context"]
        assert layer.context_domain is None


@pytest.mark.shows("0-14")
def test_log_norm_round_trip_and_domain() -> None:
    torch.manual_seed(0)
    layer = LogNorm(Affine(3)).double()
    x = torch.randn(50, 3, dtype=DOUBLE)
    with pytest.raises(DomainError, match=r"Log.forward.*open interval \(0, inf\)"):
        layer(x)
    nn.init.constant_(layer.affine.shift, 5.0)
    torch.testing.assert_close(layer.inverse(layer(x)), x, rtol=1e-13, atol=1e-13)
    centred = x - x.mean(1, keepdim=True)
    assert centred.log().isnan().double().mean() > 0.3  # what it replaces: half of it undefined


@pytest.mark.shows("0-14")
def test_log_and_exp_are_each_other_backwards() -> None:
    x = torch.rand(4, 3, dtype=DOUBLE) + 0.1
    torch.testing.assert_close(Log()(x), Exp().inverse(x), rtol=0, atol=0)
    torch.testing.assert_close(Logit()(x / 2), Sigmoid().inverse(x / 2), rtol=0, atol=0)


@pytest.mark.shows("3-5")
@pytest.mark.parametrize(
    "layer", [RangeCompression(-3, 7), LearnedRangeCompression(4, -3, 7), LearnedRangeCompression((), -3, 7)]
)
def test_range_is_enforced_in_both_directions(layer: Bijection) -> None:
    layer = layer.double()
    x = torch.linspace(-20, 20, 100, dtype=DOUBLE).view(25, 4)
    y = layer(x)
    assert not layer.codomain.outside(y).any()
    assert ((y > -3) & (y < 7 + 1e-6)).all()
    torch.testing.assert_close(layer.inverse(y), x, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(layer.inv(y), layer.inverse(y), rtol=0, atol=0)
    for value in (-3.0, 7.001, 8.0):
        with pytest.raises(DomainError):
            layer.inv(torch.full((1, 4), value, dtype=DOUBLE))


@pytest.mark.shows("3-5")
def test_learned_ends_stay_in_order_and_the_check_follows_them() -> None:
    layer = LearnedRangeCompression(2)
    chain = Chain(Bias(2), layer)
    with torch.no_grad():
        layer.log_width.fill_(-20.0)
        layer.low.fill_(5.0)
    assert (layer.log_width.exp() > 0).all()
    with pytest.raises(DomainError, match="from 5 to"):
        chain.inverse(torch.full((1, 2), 0.5))
    with torch.no_grad():
        layer.low.fill_(0.0)
        layer.log_width.fill_(0.0)
    assert chain.inverse(torch.full((1, 2), 0.5)).abs().max() == 0
    assert {"layers.1.low", "layers.1.log_width"} <= dict(chain.named_parameters()).keys()


@pytest.mark.shows("3-7")
def test_clamp_is_marked_as_no_bijection() -> None:
    clamp = RangeClamp(-1, 2)
    assert not isinstance(clamp, Bijection)
    assert clamp.side == "right"
    with pytest.raises(TypeError, match="RangeClamp"):
        Chain(clamp)  # pyright: ignore[reportArgumentType]
    assert clamp(torch.tensor([[3.0]])).item() == clamp(torch.tensor([[4.0]])).item() == 2.0
    y = torch.tensor([[-1.0, 0.3, 2.0]])
    assert torch.equal(clamp(clamp.inverse(y)), y)
    assert clamp.certified_inverse(y)[1].ok
    with pytest.raises(DomainError, match="closed interval"):
        clamp.inverse(torch.tensor([[2.5, 0.0, 0.0]]))


@pytest.mark.shows("3-7")
def test_penalty_in_both_directions() -> None:
    net = Chain(TapLoss("range", lambda x: range_penalty(x, -1, 1)), LeakyReLU(0.5))
    x = torch.tensor([[3.0, 0.0], [0.5, -2.0]], requires_grad=True)
    with Recording() as recording:
        net.inverse(net(x))
    wanted = torch.tensor([0.95 * 4 + 0.05 * 2, 0.95 + 0.05])
    torch.testing.assert_close(recording.forward.loss, wanted)
    torch.testing.assert_close(recording.inverse.loss, wanted)
    (gradient,) = torch.autograd.grad(recording.forward.loss.sum(), x)
    torch.testing.assert_close(gradient, torch.tensor([[0.95 * 4 + 0.05, 0.0], [0.0, -0.95 * 2 - 0.05]]))


@pytest.mark.shows("0-5")
@pytest.mark.parametrize("module", [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(), nn.Threshold(0.1, 0.0)])
def test_relu_is_refused_with_advice(module: nn.Module) -> None:
    with pytest.raises(NotInvertibleError, match="LeakyReLU") as caught:
        from_activation(module)
    assert "preimage.invert" in str(caught.value)
    with pytest.raises(TypeError, match=type(module).__name__):
        Chain(module)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "module",
    [
        nn.Sigmoid(),
        nn.Tanh(),
        nn.Softsign(),
        nn.SELU(),
        nn.Identity(),
        nn.ELU(0.7),
        nn.Softplus(threshold=1000),
        nn.LeakyReLU(0.2),
        nn.PReLU(3, init=0.4),
        nn.PReLU(),
    ],
)
def test_activations_of_torch_become_bijections(module: nn.Module) -> None:
    x = torch.randn(4, 3)
    torch.testing.assert_close(from_activation(module)(x), module(x))


@pytest.mark.parametrize("module", [nn.SiLU(), nn.GELU()])
def test_folding_activations_come_with_their_branch(module: nn.Module) -> None:
    x = 2 * torch.randn(4, 3)
    y, branch = from_activation(module)(x)
    torch.testing.assert_close(y, module(x))
    torch.testing.assert_close(from_activation(module).inverse((y, branch)), x, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("module", [nn.PReLU(init=-0.1), nn.LeakyReLU(0.0), nn.GELU("tanh"), nn.Mish()])
def test_folded_and_unknown_activations_are_refused(module: nn.Module) -> None:
    with pytest.raises(NotInvertibleError):
        from_activation(module)


@pytest.mark.shows("3-3")
@pytest.mark.parametrize("layer", [Sigmoid(), Tanh(), Softplus(), Baird(2), PReLU(2), SELU(), Asinh()])
def test_log_det_is_differentiable_and_of_one_shape(layer: Elementwise) -> None:
    layer = layer.double()
    x = torch.randn(4, 2, dtype=DOUBLE, requires_grad=True)
    log_det = layer.forward_and_log_det(x)[1]
    assert log_det.shape == (4,)
    assert log_det.requires_grad
    assert torch.autograd.gradcheck(lambda t: layer.forward_and_log_det(t)[1], x)
