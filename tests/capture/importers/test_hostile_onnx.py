"""ONNX files from strangers: whatever is in them, the answer is an error of this library, and quickly."""

import numpy as np
import pytest
import torch

import preimage as pi
from preimage.errors import CaptureError, ModelFileError, PreimageError

onnx = pytest.importorskip("onnx")
helper, numpy_helper, FLOAT = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT


def model(nodes, constants=(), shape=("N", 4), opset=18):
    ends = [
        helper.make_tensor_value_info("x", FLOAT, shape),
        helper.make_tensor_value_info("y", FLOAT, ["A", "B"]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(kind, inputs="x", outputs="y", **attributes):
    return helper.make_node(kind, inputs.split(), outputs.split(), name=f"the_{kind}", **attributes)


def constant(name, values, kind=np.int64):
    return numpy_helper.from_array(np.array(values, kind), name)


HUGE = 2**40
BOMBS = {
    "expand": ([node("Expand", "x s")], [constant("s", [HUGE, 4])]),
    "constant of shape": ([node("ConstantOfShape", "s", "c"), node("Add", "x c")], [constant("s", [HUGE])]),
    "range": (
        [node("Range", "a b c", "r"), node("Add", "x r")],
        [constant(n, v) for n, v in zip("abc", (0, HUGE, 1), strict=True)],
    ),
    "tile": (
        [node("Tile", "k s", "t"), node("Add", "x t")],
        [constant("k", [[1.0]], np.float32), constant("s", [HUGE, HUGE])],
    ),
    "negative shape": ([node("ConstantOfShape", "s", "c"), node("Add", "x c")], [constant("s", [-5])]),
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_cannot_ask_for_huge_tensors(name):
    with pytest.raises(PreimageError, match=r"asks for a tensor of shape"):
        pi.from_onnx(model(*BOMBS[name]))


def test_unknown_operators_and_control_flow_are_named():
    with pytest.raises(CaptureError, match=r"the_NonZero.*not known"):
        pi.from_onnx(model([node("NonZero", "x", "y")]))
    with pytest.raises(PreimageError):
        pi.from_onnx(model([helper.make_node("Mine", ["x"], ["y"], domain="my.own")]))
    branch = helper.make_graph(
        [node("Relu", "x", "z")], "b", [], [helper.make_tensor_value_info("z", FLOAT, ["A"])]
    )
    test = [constant("c", True, np.bool_)]
    with pytest.raises(CaptureError, match="branches or loops"):
        pi.from_onnx(model([node("If", "c", then_branch=branch, else_branch=branch)], test))


def external(location, **entries):
    tensor = constant("w", np.zeros((4, 4)), np.float32)
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(size), **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return model([node("MatMul", "x w")], [tensor])


def write(file, place):
    (place / "net").mkdir(exist_ok=True)
    path = place / "net" / "m.onnx"
    path.write_bytes(file.SerializeToString())
    return path


def test_external_data_is_read_from_the_own_folder_only(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"\x00" * 64)
    weights = np.arange(16, dtype=np.float32).reshape(4, 4)
    path = write(external("w.bin"), tmp_path)
    (tmp_path / "net" / "w.bin").write_bytes(weights.tobytes())
    torch.testing.assert_close(pi.from_onnx(path)(torch.ones(1, 4)), torch.from_numpy(weights.sum(0))[None])
    (tmp_path / "net" / "link.bin").symlink_to(secret)
    for location in ("../secret.bin", str(secret), "link.bin", "", "none.bin", ".."):
        with pytest.raises(ModelFileError, match="own folder"):
            pi.from_onnx(write(external(location), tmp_path))
    with pytest.raises(ModelFileError, match="another file"):
        pi.from_onnx(external("w.bin"))


@pytest.mark.parametrize(
    "entries", [{"offset": "-8"}, {"offset": "60"}, {"length": str(2**50)}, {"offset": "x"}, {"length": "-1"}]
)
def test_places_outside_the_data_file_are_refused(tmp_path, entries):
    path = write(external("w.bin", **entries), tmp_path)
    (tmp_path / "net" / "w.bin").write_bytes(b"\x00" * 64)
    with pytest.raises(ModelFileError):
        pi.from_onnx(path)


def test_broken_files(tmp_path):
    good = model([node("Relu")]).SerializeToString()
    pi.from_onnx(good)
    for data in (b"", b"\x00" * 100, b"PK\x03\x04" + good, good[: len(good) // 2], b"not a model"):
        path = tmp_path / "m.onnx"
        path.write_bytes(data)
        with pytest.raises(PreimageError):
            pi.from_onnx(path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        pi.from_onnx(tmp_path / "none.onnx")
    with pytest.raises(ModelFileError, match="ModelProto"):
        pi.from_onnx(3)


def test_shapes_that_lie_about_their_data():
    tensor = constant("w", np.zeros((4, 4)), np.float32)
    tensor.dims[0] = 2**30
    with pytest.raises(ModelFileError):
        pi.from_onnx(model([node("MatMul", "x w")], [tensor]))


def test_a_file_with_huge_values_is_not_tried_out():
    shape = (1, 2**20, 2**20)
    network = pi.from_onnx(model([node("Relu", "x", "r"), node("Flatten", "r")], (), shape))
    assert network(torch.zeros(1, 2, 2)).shape == (1, 4)


def test_random_damage_never_crashes():
    """A few hundred flipped bytes in a valid file: a network or an error of this library."""
    rng = np.random.default_rng(0)
    nodes = [node("Conv", "x w", "c", pads=[1, 1, 1, 1]), node("Relu", "c", "r"), node("Flatten", "r")]
    weight = constant("w", rng.normal(size=(4, 3, 3, 3)), np.float32)
    good = bytearray(model(nodes, [weight], ("N", 3, 6, 6)).SerializeToString())
    for _ in range(300):
        bad = bytearray(good)
        for place in rng.integers(0, len(bad), rng.integers(1, 4)):
            bad[place] = rng.integers(256)
        try:
            pi.from_onnx(bytes(bad))
        except PreimageError:
            continue
