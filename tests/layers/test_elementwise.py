"""Elementwise maps: domains, extremes, closed forms, and counter-tests of formulas that are not inverses."""

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
    MonotonicSine,
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


# --- pairs on their domains -------------------------------------------------------------------------------


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


# --- asinh and sinh, leaky rectifiers ---------------------------------------------------------------------


@pytest.mark.shows("1-5")
def test_asinh_and_sinh_are_a_pair_without_any_shift() -> None:
    x = torch.linspace(-20, 20, 801, dtype=DOUBLE)[None]
    torch.testing.assert_close(Asinh()(Sinh()(x)), x, rtol=1e-15, atol=1e-15)
    shifted = torch.sinh(torch.asinh(_double(5.0) - 1e-5) + 1e-5)
    assert (shifted - 5.0).abs().item() > 3e-5  # the shifted pair is not a pair


@pytest.mark.shows("1-5")
@pytest.mark.parametrize("slope", [0.01, 0.25, 0.3])
def test_double_negation_is_the_slope_times_the_inverse(slope: float) -> None:
    y = torch.linspace(-3, 3, 61, dtype=DOUBLE)[None]
    for layer in (LeakyReLU(slope), PReLU(slope=slope).double(), MonotonicPReLU(slope=slope).double()):
        torch.testing.assert_close(-layer(-y), slope * layer.inverse(y), rtol=1e-6, atol=1e-9)
        assert (-layer(-y) - layer.inverse(y)).abs().max() > 1.0


@pytest.mark.shows("1-5")
def test_adding_to_the_slope_of_the_inverse_breaks_it() -> None:
    layer, y = LeakyReLU(1e-3), _double(-1.0)
    assert layer.inverse(y).item() == -1000.0
    assert (y / (1e-3 + 1e-5)).item() == pytest.approx(-990.1, abs=0.01)


@pytest.mark.shows("1-4")
@pytest.mark.parametrize("shape", [(), 3, (3, 2, 2)])
def test_slope_is_positive_whatever_is_learnt(shape: object) -> None:
    x = torch.randn(4, 3, 2, 2, dtype=DOUBLE)
    for raw in (-1e3, -3.0, 0.0, 3.0, 1e3):
        layer = MonotonicPReLU(shape, least=1e-2).double()
        nn.init.constant_(layer.raw_slope, raw)
        assert (layer.log_slope().exp() >= 1e-2 * (1 - 1e-12)).all()
        torch.testing.assert_close(layer.inverse(layer(x)), x, rtol=1e-12, atol=1e-12)


@pytest.mark.shows("1-4")
def test_slope_starts_where_it_is_told_and_is_shared_with_the_inverse() -> None:
    for layer in (PReLU(2, slope=0.7), MonotonicPReLU(2, slope=0.7)):
        assert layer(torch.tensor([[-1.0, 1.0]])).tolist()[0] == pytest.approx([-0.7, 1.0], rel=1e-6)
        assert [id(p) for p in layer.inv.parameters()] == [id(layer.raw_slope)]


@pytest.mark.shows("1-4")
def test_slope_towards_its_floor_magnifies_by_one_over_the_floor() -> None:
    layer = MonotonicPReLU(least=1e-3).double()
    nn.init.constant_(layer.raw_slope, -1e3)
    assert layer.inverse(_double(-1.0)).item() == pytest.approx(-1000.0, rel=1e-12)
    assert _round_trip_error(layer, _double(-7.0, 2.0)) < 1e-12


@pytest.mark.shows("3-25", "1-4")
def test_slope_gets_a_gradient_from_the_log_det() -> None:
    x = _double(-2.0, -0.5, 3.0)
    layer = PReLU(slope=0.3).double()
    layer.forward_and_log_det(x)[1].sum().backward()
    alpha = 0.3  # log_det = 2 log alpha, and the parameter is log alpha
    assert layer.raw_slope.grad.item() == pytest.approx(2.0)
    assert layer.raw_slope.grad.item() / alpha == pytest.approx(2 / alpha)
    fixed = x.clone().requires_grad_()
    log_det = LeakyReLU(0.3).forward_and_log_det(fixed)[1]
    (gradient,) = torch.autograd.grad(log_det.sum() + 0 * fixed.sum(), fixed)
    assert not gradient.any()  # a fixed slope tells x nothing


@pytest.mark.parametrize("make", [lambda: PReLU(slope=0.0), lambda: MonotonicPReLU(slope=1e-3, least=1e-2)])
def test_slopes_below_the_floor_are_refused(make) -> None:
    with pytest.raises(ValueError, match="wanted a number above"):
        make()


# --- Baird ------------------------------------------------------------------------------------------------


def _baird(shift: float, dtype: torch.dtype = DOUBLE) -> Baird:
    layer = Baird().to(dtype)
    nn.init.constant_(layer.shift, shift)
    return layer


@pytest.mark.shows("3-6")
@pytest.mark.parametrize("shift", [-50.0, -0.3, 0.0, 2.0, 1e4])
def test_baird_is_the_shift_under_sinh(shift: float) -> None:
    x = torch.linspace(-30, 30, 1201, dtype=DOUBLE)[None]
    torch.testing.assert_close(_baird(shift)(x), (x.sinh() + shift).asinh(), rtol=1e-12, atol=1e-12)


@pytest.mark.shows("3-6")
def test_baird_is_a_one_parameter_group() -> None:
    x = torch.linspace(-30, 30, 601, dtype=DOUBLE)[None]
    twice = Chain(_baird(0.7), _baird(-2.9))
    torch.testing.assert_close(twice(x), _baird(0.7 - 2.9)(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(_baird(0.7).inverse(x), _baird(-0.7)(x), rtol=0, atol=0)
    torch.testing.assert_close(_baird(0.0)(x), x, rtol=1e-14, atol=1e-14)
    assert _baird(0.0).forward_and_log_det(x)[1].abs().item() < 1e-12


@pytest.mark.shows("3-6")
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("shift", [-1e3, -1.0, 0.5, 30.0])
def test_baird_is_finite_and_exact_at_800(dtype: torch.dtype, shift: float) -> None:
    x = torch.tensor([[-800.0, -88.0, -15.1, -14.9, 14.9, 15.1, 88.0, 800.0]], dtype=dtype).requires_grad_()
    layer = _baird(shift, dtype)
    y, log_det = layer.forward_and_log_det(x)
    wanted = _baird(shift)(x.double())
    torch.testing.assert_close(y.double(), wanted, rtol=4e-7, atol=0)
    assert log_det.isfinite().all()
    (gradient,) = torch.autograd.grad(y.sum() + log_det.sum(), x)
    assert gradient.isfinite().all()
    assert layer.certified_inverse(y.detach()[:, ::7])[1].ok


@pytest.mark.shows("3-6")
def test_baird_formula_with_overflow_is_a_counter_example() -> None:
    x = torch.tensor([800.0])
    assert not (x.sinh() + 1).asinh().isfinite().all()
    assert _baird(1.0, torch.float32)(x[None]).item() == 800.0


@pytest.mark.shows("3-6")
def test_baird_learns_a_density() -> None:
    """Gaussian numbers bent by a known map are straightened again, by likelihood alone."""
    torch.manual_seed(0)
    truth = Chain(Affine(1), _baird(3.0)).double()
    x = truth.inverse(torch.randn(2000, 1, dtype=DOUBLE)).detach()
    flow = Chain(Affine(1), Baird(1)).double()
    optimiser = torch.optim.Adam(flow.parameters(), lr=0.1)

    def negative_log_likelihood(model: Chain) -> Tensor:
        z, log_det = model.forward_and_log_det(x)
        return (0.5 * z.square().sum(1) + 0.5 * math.log(2 * math.pi) - log_det).mean()

    start = negative_log_likelihood(flow).item()
    for _ in range(150):
        optimiser.zero_grad()
        loss = negative_log_likelihood(flow)
        loss.backward()
        optimiser.step()
    best = negative_log_likelihood(truth).item()
    assert best - 0.01 < negative_log_likelihood(flow).item() < best + 0.01 < start - 0.2


# --- products with tanh and sine --------------------------------------------------------------------------


@pytest.mark.shows("1-2")
def test_signed_tanh_round_trip_from_1e_minus_8_to_300() -> None:
    size = torch.logspace(-8, math.log10(300), 500, dtype=DOUBLE)
    x = torch.cat([-size, size])[None]
    layer = SignedTanh()
    torch.testing.assert_close(layer(x), x.abs() * x.tanh(), rtol=1e-15, atol=0)
    y = torch.cat([-size, size])[None]
    torch.testing.assert_close(layer(layer.inverse(y)), y, rtol=1e-14, atol=0)
    torch.testing.assert_close(layer.inverse(layer(x)), x, rtol=1e-14, atol=0)


@pytest.mark.shows("1-2")
def test_signed_tanh_at_zero() -> None:
    """0 goes to 0, where the slope is zero and the log_det says so; the root rises like sqrt(y)."""
    layer = SignedTanh()
    y, log_det = layer.forward_and_log_det(torch.zeros(1, 1))
    assert y.item() == 0
    assert log_det.item() == -math.inf
    x, log_det = layer.inverse_and_log_det(torch.zeros(1, 1))
    assert x.item() == 0
    assert log_det.item() == math.inf
    small = _double(1e-20)
    assert layer.inverse(small).item() == pytest.approx(1e-10, rel=1e-12)
    assert layer.inverse_and_log_det(small)[1].item() == pytest.approx(-math.log(2e-10), rel=1e-12)


@pytest.mark.shows("1-2")
def test_dividing_by_the_answer_is_no_inverse() -> None:
    x = torch.tensor([0.0, 20.0])
    y = SignedTanh()(x[None])[0]
    wrong = torch.atanh(y.abs() / x.abs()) * x.sign()
    assert wrong[0].isnan()
    assert wrong[1].isinf()
    even = x * x.tanh()
    assert torch.equal(even, -x * (-x).tanh())  # without the absolute value the sign is lost


@pytest.mark.shows("1-1")
def test_original_signed_sine_is_even() -> None:
    d = torch.tensor([1.0, -1.0, 2.0, -2.0])
    original = d * d.abs().sin() * d.sign()
    assert torch.equal(original[0::2], original[1::2])
    assert original[0].item() == pytest.approx(0.8415, abs=1e-4)
    assert not torch.allclose(torch.asin(original / d) * original.sign(), d)


@pytest.mark.shows("1-1")
def test_odd_signed_sine_round_trip_and_range_check() -> None:
    layer = SignedSine()
    x = torch.linspace(-1, 1, 2001, dtype=DOUBLE)[None] * 2.0287
    y = layer(x)
    assert (y.diff() > 0).all()
    torch.testing.assert_close(y, x * x.abs().sin(), rtol=1e-15, atol=0)
    torch.testing.assert_close(layer(layer.inverse(y)), y, rtol=1e-14, atol=0)
    inner = x[:, 20:-20]
    torch.testing.assert_close(layer.inverse(layer(inner)), inner, rtol=4e-14, atol=0)
    ends = _double(-2.028757838110434, 0.0, 2.028757838110434)
    torch.testing.assert_close(layer.inverse(layer(ends)), ends, rtol=2e-8, atol=0)
    for value, run in ((2.0288, layer.forward), (1.8198, layer.inverse)):
        with pytest.raises(DomainError, match="closed interval"):
            run(_double(value))


@pytest.mark.shows("1-1")
@pytest.mark.parametrize("raw", [-20.0, -1.0, 0.0, 0.4, 20.0])
def test_monotonic_sine_is_a_bijection_of_the_line(raw: float) -> None:
    layer = MonotonicSine(frequency=2.0, limit=0.95).double()
    nn.init.constant_(layer.raw_amplitude, raw)
    amplitude = 0.95 * math.tanh(raw)
    x = torch.linspace(-30, 30, 6001, dtype=DOUBLE)[None]
    y = layer(x)
    frequency = layer.log_frequency.exp().item()
    torch.testing.assert_close(y, x + amplitude / frequency * (frequency * x).sin(), rtol=1e-14, atol=1e-14)
    assert (y.diff() > 0).all()
    torch.testing.assert_close(layer.inverse(y), x, rtol=0, atol=1e-12)
    assert (layer(torch.tensor([[1e5]], dtype=DOUBLE)) - 1e5).abs().item() < 1


# --- log-norm and ranges ----------------------------------------------------------------------------------


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


# --- what cannot be inverted ------------------------------------------------------------------------------


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
