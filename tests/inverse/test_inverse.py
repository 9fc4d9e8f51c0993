"""The Inverse as its user sees it: one call, several ways to an answer, evidence for each."""

from itertools import pairwise

import pytest
import torch
from torch import nn

import preimage as pi
from preimage.errors import (
    NonFiniteError,
    NotConvergedError,
    NotInvertibleError,
    NumericalWarning,
    ShapeError,
    UnknownTapError,
)


def mlp(*sizes, slope=0.3):
    layers = []
    for given, made in pairwise(sizes):
        layers += [nn.Linear(given, made), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers[:-1]).double()


@pytest.fixture(scope="module")
def seed_mlp():
    torch.manual_seed(0)
    model = mlp(784, 64, 64, 10)
    return model, pi.invert(model, torch.zeros(1, 784).double())


class TestRightInverse:
    @pytest.mark.shows("2-1", "0-2")
    def test_prescribed_outputs_are_reached_to_rounding(self, seed_mlp):
        model, inverse = seed_mlp
        y = torch.cat([torch.eye(10), torch.randn(90, 10)]).double()
        x = inverse(y)
        assert (model(x) - y).abs().max() < 1e-10
        assert inverse.plan().guarantee is pi.Guarantee.RIGHT

    @pytest.mark.shows("2-2")
    def test_the_input_is_not_recovered_and_the_report_says_so(self, seed_mlp):
        model, inverse = seed_mlp
        x = torch.randn(5, 784).double()
        answer, certificate = inverse.data_free(model(x).detach())
        assert certificate.ok
        assert ((answer - x).norm(dim=1) / x.norm(dim=1)).min() > 0.9
        report = inverse.report
        assert "774 of 784 input dimensions are lost" in str(report)
        assert report.round_trips[0].back_and_there < 1e-10 < 0.9 < report.round_trips[0].there_and_back
        assert all(row.condition is not None for row in report.rows if row.kind == "affine")

    @pytest.mark.shows("2-5")
    def test_ten_class_queries_are_classified_as_asked(self, seed_mlp):
        model, inverse = seed_mlp
        assert model(inverse(torch.eye(10).double())).argmax(1).tolist() == list(range(10))

    @pytest.mark.shows("1-3")
    def test_the_inverse_takes_y_only(self, seed_mlp):
        _, inverse = seed_mlp
        x = inverse(torch.zeros(1, 10).double())
        assert x.shape == (1, 784)


class TestSolve:
    def test_reaches_the_tolerance_with_a_smaller_norm_than_the_chain(self, seed_mlp):
        model, inverse = seed_mlp
        y = torch.randn(4, 10).double()
        x, certificate = inverse.solve(y, start=torch.zeros(4, 784).double(), tol=1e-9)
        assert certificate.ok
        assert (model(x) - y).abs().max() < 1e-7
        assert (x.norm(dim=1) < inverse(y).norm(dim=1)).all()

    def test_an_impossible_value_is_not_called_converged(self):
        model = nn.Sequential(nn.Linear(3, 3), nn.Sigmoid()).double()
        inverse = pi.invert(model, torch.zeros(1, 3).double())
        _, certificate = inverse.solve(torch.full((2, 3), 1.5).double(), max_products=20)
        assert not certificate.converged.any()

    def test_several_inputs(self):
        class Sum(nn.Module):
            def forward(self, a, b):
                return a.tanh() + 2 * b

        inverse = pi.invert(Sum(), (torch.zeros(1, 3).double(), torch.zeros(1, 3).double()))
        y = torch.randn(4, 3).double()
        (a, b), certificate = inverse.solve(y, tol=1e-9)
        assert certificate.ok
        torch.testing.assert_close(a.tanh() + 2 * b, y)


class TestPolicy:
    def test_one_word_decides_what_happens_to_failed_samples(self):
        inverse = pi.invert(nn.Linear(2, 3).double(), torch.zeros(1, 2).double())
        y = torch.tensor([[1.0, 2.0, 3.0]]).double()  # off the plane that the layer maps to
        with pytest.raises(NotConvergedError, match="Likely causes"):
            inverse(y, on_error="raise")
        with pytest.warns(NumericalWarning):
            inverse(y, on_error="warn")
        assert inverse(y, on_error="nan").isnan().all()


class TestTaps:
    def test_cut_points_are_labelled_by_module(self):
        inverse = pi.invert(mlp(4, 3, 2), torch.zeros(1, 4).double())
        assert inverse.taps == ("0", "1", "2")

    def test_from_inside(self):
        model = mlp(4, 6, 5)
        inverse = pi.invert(model, torch.zeros(1, 4).double(), taps={"hidden": "1"})
        x = torch.randn(2, 4).double()
        features = inverse.features(x)
        torch.testing.assert_close(features["hidden"], model[:2](x))
        torch.testing.assert_close(inverse(features["hidden"], tap="hidden"), x)
        torch.testing.assert_close(inverse(model[0](x).detach(), tap="0"), x)

    def test_unknown(self):
        with pytest.raises(UnknownTapError, match="no tap 'hiden'"):
            pi.invert(mlp(4, 3), torch.zeros(1, 4).double()).data_free(torch.zeros(1, 3).double(), "hiden")


class TestCalibrated:
    def test_is_the_linear_regression_and_beats_the_pseudo_inverse(self):
        torch.manual_seed(1)
        mixing = torch.randn(6, 6).double()
        x = torch.randn(400, 6).double() @ mixing  # correlated inputs: the lost directions can be guessed
        model = nn.Linear(6, 3).double()
        inverse = pi.invert(model, x[:1], calibration=x[:300])
        y = model(x[300:]).detach()
        calibrated, data_free = inverse(y), inverse.data_free(y)[0]
        assert inverse.is_calibrated
        assert (calibrated - x[300:]).square().mean() < 0.7 * (data_free - x[300:]).square().mean()

    def test_an_exact_plan_is_preferred_to_the_decoder(self):
        model = nn.Linear(3, 3).double()
        x = torch.randn(50, 3).double()
        inverse = pi.invert(model, x[:1], calibration=x)
        torch.testing.assert_close(inverse(model(x).detach()), x)

    def test_without_data_the_way_out_is_named(self):
        inverse = pi.invert(nn.Linear(3, 2), torch.zeros(1, 3))
        with pytest.raises(NotInvertibleError, match="calibration="):
            inverse.calibrated(torch.zeros(1, 2))

    def test_groups_must_match(self):
        with pytest.raises(ShapeError, match=r"groups has shape \(3,\)"):
            pi.Calibration(torch.zeros(4, 2), groups=torch.zeros(3))

    def test_progress_is_told(self):
        seen = []
        pi.invert(nn.Linear(3, 2), torch.zeros(1, 3), torch.randn(40, 3), progress=lambda *a: seen.append(a))
        assert {stage for stage, _, _ in seen} == {"statistics", "decoders"}


@pytest.fixture
def inverse():
    return pi.invert(nn.Linear(3, 2), torch.zeros(1, 3))


class TestBadInput:
    @pytest.mark.parametrize(
        ("y", "message"),
        [
            (torch.zeros(1, 3), r"got shape \(1, 3\); \(N, 2\) was wanted"),
            (torch.zeros(2), r"got shape \(2,\)"),
            (torch.zeros(0, 2), "empty batch"),
            (torch.zeros(1, 2, dtype=torch.long), r"got torch.int64.*y.float\(\)"),
            (torch.zeros(1, 2).double(), r"got torch.float64.*torch.float32"),
            (torch.zeros(1, 2, device="meta"), "on meta"),
            ([[1.0, 2.0]], "got list"),
        ],
    )
    @pytest.mark.shows("2-7")
    def test_wrong_values(self, inverse, y, message):
        with pytest.raises(ShapeError, match=message):
            inverse(y)

    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_not_finite(self, inverse, bad):
        with pytest.raises(NonFiniteError, match="1 of 2 samples"):
            inverse(torch.tensor([[1.0, bad], [0.0, 0.0]]))
        with pytest.raises(NonFiniteError):
            inverse.solve(torch.tensor([[1.0, bad]]))

    def test_example(self):
        with pytest.raises(ShapeError, match="at least one"):
            pi.invert(nn.Linear(3, 2), torch.zeros(0, 3))
        with pytest.raises(ShapeError, match="list"):
            pi.invert(nn.Linear(3, 2), [1.0])  # type: ignore[arg-type]

    def test_wrong_number_of_tensors(self, inverse):
        with pytest.raises(ShapeError, match="got 2 tensors"):
            inverse((torch.zeros(1, 2), torch.zeros(1, 2)))


class TestOwnRules:
    def test_a_module_class_a_function_and_what_is_refused(self):
        class Cube(nn.Module):
            def forward(self, x):
                return x**3

        @pi.register_inverse(Cube)
        def cube(site, y):
            return pi.Solved(y.sign() * y.abs() ** (1 / 3))

        model = nn.Sequential(nn.Linear(2, 2), Cube()).double()
        x = torch.randn(3, 2).double()
        inverse = pi.invert(model, x)
        assert inverse.plan().guarantee is pi.Guarantee.EXACT
        torch.testing.assert_close(inverse(model(x).detach()), x)
        with pytest.raises(TypeError, match="takes \\(site, y\\)"):
            pi.register_inverse(Cube)(lambda y: y)
        with pytest.raises(TypeError, match="cannot register"):
            pi.register_inverse(3)(cube)

    def test_unknown_operations_are_opaque_and_still_inverted(self):
        class Odd(nn.Module):
            def forward(self, x):
                return torch.sin(x) + 2 * x

        x = torch.randn(4, 3).double()
        inverse = pi.invert(Odd(), x)
        assert inverse.ledger.rows[0].guarantee in ("opaque", "iterative")
        answer, certificate = inverse.data_free(Odd()(x))
        assert certificate.ok
        torch.testing.assert_close(answer, x, rtol=1e-6, atol=1e-8)


class TestState:
    def test_no_global_state_is_touched(self):
        model = nn.Sequential(nn.Linear(3, 9), nn.ReLU())
        before, grad = torch.get_rng_state(), torch.is_grad_enabled()
        inverse = pi.invert(model, torch.zeros(1, 3))
        inverse(torch.zeros(1, 9))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.is_grad_enabled() is grad

    def test_a_change_that_is_not_counted_needs_refresh(self):
        model = nn.Linear(3, 3).double()
        inverse = pi.invert(model, torch.zeros(1, 3).double())
        x = torch.randn(2, 3).double()
        inverse(model(x).detach())
        model.weight.data.mul_(2)
        inverse.refresh()
        torch.testing.assert_close(inverse(model(x).detach()), x)

    def test_gradients_reach_the_values_and_the_weights(self):
        model = nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU(0.5), nn.Linear(2, 2)).double()
        inverse = pi.invert(model, torch.zeros(1, 2).double())
        y = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(inverse, (y,))
        (slope,) = torch.autograd.grad(inverse(y).square().sum(), model[0].weight)
        step = 1e-6
        with torch.no_grad():
            model[0].weight[0, 1] += step
            above = inverse(y.detach()).square().sum()
            model[0].weight[0, 1] -= 2 * step
            below = inverse(y.detach()).square().sum()
        assert slope[0, 1].item() == pytest.approx(((above - below) / (2 * step)).item(), rel=1e-4)
