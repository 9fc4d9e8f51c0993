"""ONNX networks: ONNX's own test cases as oracle, exported networks and back, inverses, any batch size."""

import glob
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import preimage as pi

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from preimage.capture.importers.onnx.operation import TRANSLATORS  # noqa: E402
from preimage.capture.importers.onnx.translate import FAMILIES  # noqa: E402
from preimage.errors import PreimageError  # noqa: E402

assert FAMILIES
DATA = Path(os.path.dirname(onnx.__file__)) / "backend" / "test" / "data"
STORED = sorted(
    folder
    for kind in ("pytorch-converted", "pytorch-operator")
    for folder in glob.glob(str(DATA / kind / "*"))
)
LIGHT = sorted(glob.glob(str(DATA / "light" / "*.onnx")))


def compare(network, inputs, wanted, tolerance=1e-4):
    with torch.no_grad():
        found = network(*(torch.from_numpy(np.array(x)) for x in inputs))
    for y, right in zip(found if isinstance(found, tuple) else (found,), wanted, strict=False):
        assert tuple(y.shape) == np.shape(right)
        np.testing.assert_allclose(y.numpy().astype(float), np.array(right, float), 1e-3, tolerance)


def stored(folder):
    model = onnx.load(f"{folder}/model.onnx")
    for case in sorted(glob.glob(f"{folder}/test_data_set_*")):
        values = [
            [numpy_helper.to_array(onnx.load_tensor(f)) for f in sorted(glob.glob(f"{case}/{kind}_*.pb"))]
            for kind in ("input", "output")
        ]
        yield model, *values


def knows(model):
    return {node.op_type for node in model.graph.node} <= {*TRANSLATORS, "Constant"}


@pytest.mark.parametrize("folder", STORED, ids=lambda folder: Path(folder).name[5:])
def test_stored_models_of_onnx_itself(folder):
    for model, inputs, wanted in stored(folder):
        if knows(model):
            compare(pi.from_onnx(model), inputs, wanted)
        else:
            with pytest.raises(PreimageError, match=r"not known here|branches or loops"):
                pi.from_onnx(model)


def test_every_node_case_of_onnx_is_right_or_refused():
    """1,000 cases of all operators; the first floating point operand is the input, the others constants."""
    from onnx.backend.test.case.node import collect_testcases

    right = 0
    with np.errstate(all="ignore"):
        cases = collect_testcases(None)
    for case in cases:
        inputs, wanted = case.data_sets[0] if case.data_sets else ((), ())
        if case.model is None or not _is_plain(inputs) or not _is_plain(wanted) or not knows(case.model):
            continue
        model, data = _with_constants(case.model, inputs)
        if data is None or "empty_set" in case.name or "fp16" in case.name:
            continue
        try:
            network = pi.from_onnx(model)
        except PreimageError:
            continue
        compare(network, [data], wanted)
        right += 1
    assert right > 700


def _is_plain(values):
    return all(isinstance(value, (np.ndarray, np.generic)) for value in values)


def _with_constants(model, inputs):
    changed, data = onnx.ModelProto(), None
    changed.CopyFrom(model)
    for value, array in zip(list(changed.graph.input), map(np.array, inputs), strict=False):
        if data is None and array.dtype.kind == "f":
            data = array
            continue
        changed.graph.initializer.append(numpy_helper.from_array(array, value.name))
        changed.graph.input.remove(value)
    return changed, data


@pytest.mark.slow
@pytest.mark.parametrize("path", LIGHT, ids=lambda path: Path(path).stem)
def test_large_architectures_agree_with_onnxruntime(path):
    runtime = pytest.importorskip("onnxruntime")
    model = onnx.load(path)
    constants = {tensor.name for tensor in model.graph.initializer}
    (value,) = (v for v in model.graph.input if v.name not in constants)
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    compare(pi.from_onnx(path), [x], session.run(None, {value.name: x}))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return nn.functional.leaky_relu(x + 0.2 * self.second(torch.relu(self.norm(self.first(x)))), 0.3)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)
        self.mlp = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(n, t, 3, 2, 4).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, c)
        x = x + 0.3 * self.out(mixed)
        return x + 0.3 * self.mlp(x)


NETWORKS = {
    "perceptron": (
        lambda: nn.Sequential(
            nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 5)
        ),
        (6,),
    ),
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 12, 3, stride=2, padding=1),
            nn.BatchNorm2d(12),
            nn.ReLU6(),
            nn.Conv2d(12, 8, 1),
            nn.Hardswish(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, 10),
        ),
        (3, 8, 8),
    ),
    "residual": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 2, 2), Residual(), nn.Flatten(), nn.Linear(64, 7)),
        (3, 8, 8),
    ),
    "attention": (Attention, (5, 8)),
}


CASES = [("perceptron", True), ("convolutions", False), ("residual", True), ("attention", False)]
SLOW = [("perceptron", False), ("convolutions", True), ("residual", False), ("attention", True)]


@pytest.mark.parametrize(
    ("name", "free"), [*CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]
)
def test_the_same_inverse_through_onnx(name, free, export, tmp_path):
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    network = make().double().eval()
    x = torch.randn(3, *shape).double()
    settings = {"dynamic_shapes": ({0: torch.export.Dim("N")},)} if free else {}
    path = export(network, x if free else x[:1], tmp_path / "network.onnx", **settings)
    imported = pi.from_onnx(path)
    y = network(x).detach()
    torch.testing.assert_close(imported(x), y, atol=1e-6, rtol=1e-6)  # the file's numbers are of float32
    wanted = pi.invert(network, x[:1]).data_free(y)[0]
    found = pi.invert(imported, x[:1]).data_free(y)[0]
    assert ((found - wanted).norm() / wanted.norm()).item() < 1e-5


@pytest.mark.slow
def test_lite0_through_onnx_has_the_same_inverse(export, tmp_path):
    zoo = pytest.importorskip("preimage.zoo")
    network = zoo.load("efficientnet-lite0", size=64).module
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    imported = pi.from_onnx(export(network, x[:1], tmp_path / "lite0.onnx"))
    both = []
    for model in (network, imported):
        inverse = pi.invert(model, x[:1])
        tap = next(t for t in inverse.taps if inverse.graph.shape(inverse.node(t)) == (32, 32, 32))
        both.append(inverse.data_free(inverse.features(x)[tap], tap)[0])
    assert ((both[1] - both[0]).norm() / both[0].norm()).item() < 1e-5


def tiny(nodes, inputs, outputs, constants=(), opset=18):
    def end(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        nodes, "tiny", [end(*pair) for pair in inputs], [end(*pair) for pair in outputs], list(constants)
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def test_weights_are_parameters_under_the_nodes_names():
    rng = np.random.default_rng(0)
    w = numpy_helper.from_array(rng.normal(size=(4, 3, 3, 3)).astype(np.float32), "w")
    b = numpy_helper.from_array(np.array([1.0, 2.0, 3.0, 4.0], np.float32).reshape(4, 1, 1), "b")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="block/1/conv"),
        helper.make_node("Add", ["c", "b"], ["y"], name="shift"),
    ]
    network = pi.from_onnx(tiny(nodes, [("x", ["N", 3, 5, 5])], [("y", ["N", 4, 3, 3])], [w, b]))
    shapes = {name: tuple(p.shape) for name, p in network.named_parameters()}
    assert shapes == {"block_1_conv.weight": (4, 3, 3, 3), "constant": (4, 1, 1)}
    assert not any(p.requires_grad for p in network.parameters())
    assert "block_1_conv" in network.code


SPELT_OUT = {
    "Gelu": ["Div x root a", "Erf a b", "Add b one c", "Mul x c d", "Mul d half y"],
    "Gelu, half first": ["Mul x half d", "Mul x flat a", "Erf a b", "Add one b c", "Mul d c y"],
    "SiLU": ["Sigmoid x a", "Mul a x y"],
    "Mish": ["Softplus x a", "Tanh a b", "Mul x b y"],
}


@pytest.mark.parametrize("name", SPELT_OUT)
def test_spelt_out_activations_are_put_together(name):
    numbers = {"root": 2**0.5, "flat": 0.5**0.5, "one": 1.0, "half": 0.5}
    constants = [numpy_helper.from_array(np.array(v, np.float32), k) for k, v in numbers.items()]
    nodes = []
    for line in SPELT_OUT[name]:
        kind, *names = line.split()
        nodes.append(helper.make_node(kind, names[:-1], names[-1:]))
    network = pi.from_onnx(tiny(nodes, [("x", ["N", 5])], [("y", ["N", 5])], constants))
    (module,) = network.children()
    kind = name.split(",")[0]
    assert type(module).__name__ == {"Gelu": "GELU"}.get(kind, kind)
    x = torch.linspace(-3, 3, 10).view(2, 5)
    wanted = {"Gelu": nn.GELU(), "SiLU": nn.SiLU(), "Mish": nn.Mish()}[kind](x)
    torch.testing.assert_close(network(x), wanted)


def test_products_that_only_look_alike_stay_apart():
    nodes = [helper.make_node("Sigmoid", ["x"], ["a"]), helper.make_node("Mul", ["a", "z"], ["y"])]
    network = pi.from_onnx(tiny(nodes, [("x", ["N", 5]), ("z", ["N", 5])], [("y", ["N", 5])]))
    x, z = torch.randn(2, 5), torch.randn(2, 5)
    torch.testing.assert_close(network(x, z), x.sigmoid() * z)


def test_a_fixed_batch_that_cannot_be_set_free_stays_fixed():
    """A sum over the samples: freeing the batch would change what the network computes."""
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["s"], keepdims=1),
        helper.make_node("Add", ["x", "s"], ["y"]),
    ]
    axes = numpy_helper.from_array(np.array([0]), "axes")
    network = pi.from_onnx(tiny(nodes, [("x", [2, 3])], [("y", [2, 3])], [axes]))
    x = torch.randn(2, 3)
    torch.testing.assert_close(network(x), x + x.sum(0))
