"""The oracle finds every mistake that it claims to find: one broken layer for each law."""

import math

import pytest
import torch

from preimage import Bijection
from preimage.domains import Interval
from preimage.errors import DomainError
from preimage.layers import Affine, Coupling, LeakyReLU
from preimage.nets import MLP
from preimage.testing import LAWS, LawBrokenError, check_bijection

SKIP_COMPILERS = dict.fromkeys(("compile", "export"), "not about this mistake")


class Scale(Bijection):
    """A correct layer to break: y = 2 exp(a) x."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = torch.nn.Parameter(torch.tensor(0.1))

    def slope(self, x):
        return (self.log_scale + math.log(2.0)) * math.prod(x.shape[1:]) * torch.ones_like(x[:, 0])

    def forward_and_log_det(self, x, context=None):
        return 2 * self.log_scale.exp() * x, self.slope(x)

    def inverse_and_log_det(self, y, context=None):
        return y / (2 * self.log_scale.exp()), -self.slope(y)


class WrongInverse(Scale):
    def inverse_and_log_det(self, y, context=None):
        return y / 2.0, -self.slope(y)


class WrongLogDet(Scale):
    def slope(self, x):
        return 1.01 * super().slope(x)


class WrongSign(Scale):
    def inverse_and_log_det(self, y, context=None):
        return y / (2 * self.log_scale.exp()), self.slope(y)


class Detached(Scale):
    def slope(self, x):
        return super().slope(x).detach()


class UnusedParameter(Scale):
    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.ones(1))


class MixesRows(Scale):
    def forward_and_log_det(self, x, context=None):
        y, log_det = super().forward_and_log_det(x)
        return y + 0.1 * y.roll(1, 0).detach(), log_det


class SwallowsNan(Scale):
    def forward_and_log_det(self, x, context=None):
        return super().forward_and_log_det(x.nan_to_num())


class WritesIntoInput(Scale):
    def forward_and_log_det(self, x, context=None):
        if not x.requires_grad:
            x.mul_(1.5).div_(1.4999)
        return super().forward_and_log_det(x)


class BranchesOnValues(Scale):
    def forward_and_log_det(self, x, context=None):
        return super().forward_and_log_det(x if x.sum() > 0 else x * 1)


class FailsOnEmpty(Scale):
    def forward_and_log_det(self, x, context=None):
        x.flatten()[0]
        return super().forward_and_log_det(x)


class Float32Constant(Scale):
    def forward_and_log_det(self, x, context=None):
        y, log_det = super().forward_and_log_det(x)
        return y, log_det.float()


class HiddenState(Scale):
    """Keeps a number outside of its state."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward_and_log_det(self, x, context=None):
        self.calls += 1
        return super().forward_and_log_det(x + 1e-3 * self.calls)


class Unpicklable(Scale):
    def __init__(self) -> None:
        super().__init__()
        self.function = lambda x: x


class NanAtZero(Bijection):
    """The double-where trap: NaN gradients at zero."""

    def forward_and_log_det(self, x, context=None):
        y = x + torch.where(x == 0, x, 0.1 * x.abs().sqrt() * x)
        slope = torch.where(x == 0, torch.zeros_like(x), (1 + 0.15 * x.abs().sqrt()).log())
        return y, slope.sum(1)

    def inverse_and_log_det(self, y, context=None):
        x = y.clone()
        for _ in range(60):
            x = x - (x + 0.1 * x.abs().sqrt() * x - y) / (1 + 0.15 * x.abs().sqrt())
        return x, -(1 + 0.15 * x.abs().sqrt()).log().sum(1)


class IgnoresContext(Coupling):
    def _parameters_for(self, kept, moving, context):
        return super()._parameters_for(kept, moving, context * 0)


BROKEN = {
    "round trip": WrongInverse,
    "round trip in float32": WrongInverse,
    "certificate": WrongInverse,
    "log_det": WrongLogDet,
    "opposite log_dets": WrongSign,
    "parameter gradients": UnusedParameter,
    "rows are independent": MixesRows,
    "NaN stays in its row": SwallowsNan,
    "input unchanged": WritesIntoInput,
    "vmap": BranchesOnValues,
    "compile": BranchesOnValues,
    "export": BranchesOnValues,
    "empty batch": FailsOnEmpty,
    "log_det shape": Float32Constant,
    "forward agrees": HiddenState,
    "pickle": Unpicklable,
    "extreme inputs": NanAtZero,
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_mistake_is_found_by_its_law(name: str) -> None:
    torch.manual_seed(0)
    others = dict.fromkeys(LAWS.keys() - {name}, "another law")
    with pytest.raises(LawBrokenError, match=name.replace("(", r"\(")):
        check_bijection(BROKEN[name](), -torch.rand(3, 4) - 0.1, exceptions=others)


def test_gradient_of_log_det_that_was_cut_off_is_found() -> None:
    others = {law: "another law" for law in LAWS if law != "parameter gradients"}
    with pytest.raises(LawBrokenError, match="gradient of log_scale"):
        check_bijection(Detached(), torch.randn(3, 4), exceptions=others)


def test_ignored_context_is_found() -> None:
    layer = IgnoresContext(torch.tensor([True, False]), MLP(1, 2, (4,), context=2), context=2)
    torch.nn.init.normal_(layer.conditioner.layers[-1].weight)
    with pytest.raises(LawBrokenError, match="another context gives the same answer"):
        check_bijection(layer, torch.randn(3, 2), torch.randn(3, 2), exceptions=SKIP_COMPILERS)


def test_correct_layers_pass_and_the_report_names_every_law() -> None:
    report = check_bijection(Scale(), torch.randn(3, 4))
    assert report == {name: "holds" for name, law in LAWS.items() if not law.slow}


def test_the_layer_is_not_changed() -> None:
    layer = Affine(3)
    torch.nn.init.normal_(layer.log_scale)
    before = layer.log_scale.detach().clone()
    check_bijection(layer, torch.randn(3, 3), exceptions=SKIP_COMPILERS)
    assert layer.log_scale.dtype == torch.float32
    assert layer.log_scale.grad is None
    assert torch.equal(layer.log_scale, before)


def test_exceptions_are_reported_and_must_name_laws() -> None:
    reason = "silently clamped on purpose"
    left_out = SKIP_COMPILERS | {"extreme inputs": reason}
    assert check_bijection(LeakyReLU(), torch.randn(3, 2), exceptions=left_out)["extreme inputs"] == reason
    with pytest.raises(ValueError, match="no law is called"):
        check_bijection(LeakyReLU(), torch.randn(3, 2), exceptions={"nonsense": "no reason"})


def test_domains_are_respected_by_the_oracle() -> None:
    with pytest.raises(DomainError):
        Restricted().forward(torch.full((1, 2), 2.0))
    check_bijection(Restricted(), torch.rand(3, 2) * 0.8 + 0.1, exceptions=SKIP_COMPILERS)


class Restricted(Bijection):
    """The logit, written well."""

    domain = Interval(0, 1)

    def forward_and_log_det(self, x, context=None):
        return x.log() - (-x).log1p(), -(x.log() + (-x).log1p()).sum(1)

    def inverse_and_log_det(self, y, context=None):
        softplus = torch.nn.functional.softplus
        return y.sigmoid(), -(softplus(y) + softplus(-y)).sum(1)
