"""Reading ONNX files that may come from anywhere."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preimage.capture.importers.onnx.limits import LIMITS, Limits
from preimage.errors import MissingExtraError, ModelFileError

if TYPE_CHECKING:
    import onnx


def require_onnx() -> Any:
    """The ``onnx`` package."""
    try:
        import onnx
        import onnx.inliner
    except ImportError as error:
        raise MissingExtraError(
            'reading ONNX needs the package onnx. Install with:\n    pip install "preimage[onnx]"'
        ) from error
    return onnx


def read(
    source: str | os.PathLike[str] | bytes | onnx.ModelProto, limits: Limits = LIMITS
) -> onnx.ModelProto:
    """A checked model with its external data, local functions written out and shapes inferred.

    Args:
        source: path of a file, its bytes, or a model.
        limits: what is too large.

    Raises:
        ModelFileError: the file is absent, broken, too large, or points outside its folder.
        MissingExtraError: ``onnx`` is not installed.
    """
    onnx = require_onnx()
    if isinstance(source, (str, os.PathLike)):
        model = _parse(onnx, _read_bytes(Path(source), limits))
        _load_external(onnx, model, Path(source).resolve().parent, limits)
    else:
        model = _parse(onnx, source) if isinstance(source, bytes) else _copy(onnx, source)
        _refuse_external(onnx, model)
    _check_sizes(onnx, model, limits)
    return _prepare(onnx, model)


def _read_bytes(path: Path, limits: Limits) -> bytes:
    try:
        size = path.stat().st_size
        if size > limits.file_bytes:
            raise ModelFileError(f"{path} has {size:,} bytes; at most {limits.file_bytes:,} are read")
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error


def _parse(onnx: Any, data: bytes) -> Any:
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # whatever the parser of this version raises
        raise ModelFileError(f"this is no ONNX model: {_first_line(error)}") from error
    if not model.ir_version or not model.HasField("graph"):
        raise ModelFileError("this is no ONNX model: it has no version or no graph")
    return model


def _copy(onnx: Any, model: Any) -> Any:
    if not isinstance(model, onnx.ModelProto):
        raise ModelFileError(
            f"got {type(model).__name__}; the path of an .onnx file, its bytes or a ModelProto was wanted"
        )
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _tensors(onnx: Any, model: Any) -> Any:
    from onnx.external_data_helper import _get_all_tensors

    return _get_all_tensors(model)


def _refuse_external(onnx: Any, model: Any) -> None:
    from onnx.external_data_helper import uses_external_data

    for tensor in _tensors(onnx, model):
        if uses_external_data(tensor):
            raise ModelFileError(
                f"tensor {tensor.name!r} lies in another file; give the path of the .onnx file instead, or"
                " load it with onnx.load"
            )


def _load_external(onnx: Any, model: Any, folder: Path, limits: Limits) -> None:
    """Read the tensors that lie in other files, all of them inside the model's own folder."""
    from onnx.external_data_helper import uses_external_data

    for tensor in _tensors(onnx, model):
        if not uses_external_data(tensor):
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        path = _inside(folder, entries.get("location", ""), tensor.name)
        tensor.raw_data = _range(path, tensor, entries, limits)
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.DEFAULT


def _inside(folder: Path, location: str, name: str) -> Path:
    path = (folder / location).resolve()
    if not location or not path.is_relative_to(folder) or not path.is_file():
        raise ModelFileError(
            f"tensor {name!r} points to {location!r}; a file inside the model's own folder was wanted"
        )
    return path


def _range(path: Path, tensor: Any, entries: dict[str, str], limits: Limits) -> bytes:
    size = path.stat().st_size
    try:
        start = int(entries.get("offset", 0))
        length = int(entries["length"]) if "length" in entries else size - start
    except ValueError as error:
        raise ModelFileError(f"tensor {tensor.name!r} has no valid place in {path.name}") from error
    if start < 0 or length < 0 or start + length > size or length > limits.tensor_bytes:
        raise ModelFileError(
            f"tensor {tensor.name!r} claims {length} bytes from byte {start} of {path.name}, which has {size}"
        )
    with path.open("rb") as file:
        file.seek(start)
        return file.read(length)


def _check_sizes(onnx: Any, model: Any, limits: Limits) -> None:
    """Every constant holds as many numbers as its shape says, and all together stay below the limit."""
    total = 0
    for tensor in _tensors(onnx, model):
        if tensor.data_type == onnx.TensorProto.STRING:
            continue
        numbers = prod(tensor.dims)
        if any(n < 0 for n in tensor.dims) or numbers > limits.elements * 8:
            raise ModelFileError(f"tensor {tensor.name!r} has shape {tuple(tensor.dims)}")
        try:
            item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"tensor {tensor.name!r} has number type {tensor.data_type}") from error
        total += numbers * item
        packed = tensor.raw_data
        if packed and item > 1 and len(packed) != numbers * item:
            raise ModelFileError(
                f"tensor {tensor.name!r} of shape {tuple(tensor.dims)} holds {len(packed)} bytes;"
                f" {numbers * item} were wanted"
            )
    if total > limits.tensor_bytes:
        raise ModelFileError(f"constants of {total:,} bytes; at most {limits.tensor_bytes:,} are read")
    if _count(model.graph) > limits.nodes:
        raise ModelFileError(f"{_count(model.graph):,} operations; at most {limits.nodes:,} are read")


def _count(graph: Any) -> int:
    inner = (a.g for node in graph.node for a in node.attribute if a.HasField("g"))
    return len(graph.node) + sum(map(_count, inner))


def _prepare(onnx: Any, model: Any) -> Any:
    try:
        if model.ByteSize() < limits_of_protobuf():
            onnx.checker.check_model(model)
        model = onnx.inliner.inline_local_functions(model) if model.functions else model
    except Exception as error:
        raise ModelFileError(f"the ONNX model is not valid: {_first_line(error)}") from error
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # shapes only help; the operations say what is wrong, if anything is
        return model


def limits_of_protobuf() -> int:
    """The largest message that the checker can take."""
    return (1 << 31) - 1


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
