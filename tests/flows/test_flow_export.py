"""Every preset runs in onnxruntime with the same numbers, for any number of rows."""

import numpy as np
import pytest
import torch
from samples_presets import SHAPED, SMALL, VECTORS

from preimage import flows
from preimage.errors import OutputError

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the exporter, about itself

MAKERS = {name: (make, (2,)) for name, make in VECTORS.items()} | {"glow, picture": SHAPED["glow, picture"]}


def ran(path, *values):
    session = onnxruntime.InferenceSession(str(path))
    feed = {
        spec.name: value.detach().numpy() for spec, value in zip(session.get_inputs(), values, strict=True)
    }
    return session.run(None, feed)


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize(
    "name",
    [
        "nsf_coupling",
        *(pytest.param(name, marks=pytest.mark.slow) for name in MAKERS if name != "nsf_coupling"),
    ],
)
def test_onnx_gives_the_same_numbers(name, tmp_path):
    make, shape = MAKERS[name]
    torch.manual_seed(0)
    flow = make()
    flow.log_prob(torch.randn(32, *shape))
    flow.eval()
    paths = flows.export_onnx(flow, tmp_path, torch.randn(3, *shape))
    x = torch.randn(7, *shape)
    z = flow.encode(x)
    for method, values in {"log_prob": (x,), "encode": (x,), "decode": as_tuple(z)}.items():
        wanted = as_tuple(getattr(flow, method)(values[0] if len(values) == 1 else values))
        for got, want in zip(ran(paths[method], *values), wanted, strict=True):
            np.testing.assert_allclose(got, want.detach().numpy(), rtol=1e-4, atol=1e-4)


def test_context_is_a_second_input(tmp_path):
    flow = flows.maf(2, context=3, transforms=1, **SMALL).eval()
    paths = flows.export_onnx(flow, tmp_path, torch.zeros(2, 2), torch.zeros(2, 3))
    x, context = torch.randn(5, 2), torch.randn(5, 3)
    np.testing.assert_allclose(
        ran(paths["log_prob"], x, context)[0], flow.log_prob(x, context).detach(), rtol=1e-5
    )


LARGE = (
    "ffjord",
    "residual_flow",
    "umnn",
    "naf",
)  # graphs of solvers; their layers are exported among the laws


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in MAKERS]
)
def test_torch_export_of_every_method(name):
    make, shape = MAKERS[name]
    flow = make().eval()
    x = torch.randn(3, *shape)
    for method, value in {"log_prob": x, "encode": x, "decode": flows.Method(flow, "encode")(x)}.items():
        module = flows.Method(flow, method)
        exported = torch.export.export(module, (value,)).module()
        for got, want in zip(as_tuple(exported(value)), as_tuple(module(value)), strict=True):
            torch.testing.assert_close(got, want)


def test_a_frozen_flow_is_the_same_density():
    flow = flows.glow(3, steps=2, **SMALL).double()
    x = torch.randn(64, 3, dtype=torch.float64)
    flow.log_prob(x)
    still = flows.frozen(flow)
    torch.testing.assert_close(still.log_prob(x), flow.eval().log_prob(x).detach())
    torch.testing.assert_close(still.decode(still.encode(x)), x)
    assert not any(parameter.requires_grad for parameter in still.parameters())


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="'log_prob'"):
        flows.Method(flows.maf(2, **SMALL), "score")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        flows.export_onnx(flows.maf(2, **SMALL), tmp_path / "file", torch.zeros(2, 2))
