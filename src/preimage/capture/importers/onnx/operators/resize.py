"""Making pictures larger and smaller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from preimage.capture.importers.builder import Value
from preimage.capture.importers.onnx.operation import Operation, operator

LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}
HALF = ("half_pixel", "pytorch_half_pixel")


@operator("Resize", "Upsample")
def resize(op: Operation) -> Value:
    """The interpolations that PyTorch has as well, and nearest neighbours of every kind."""
    if op.attribute("axes") is not None or op.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        op.refuse("it names its axes or keeps an aspect ratio")
    rank = op.known_rank(0)
    target, mode = _target(op, rank), op.attribute("mode", "nearest")
    place = _place(op)
    if mode == "nearest" and not _is_whole_enlargement(op, target, place):
        rounding = op.attribute("nearest_mode", "round_prefer_floor")
        return op.build.call(nearest, op.input(0), target, place, rounding)
    settings = _method(op, rank, place) | target
    return op.build.call(functional.interpolate, op.input(0), **settings)


def _place(op: Operation) -> str:
    if op.kind == "Upsample" or op.opset < 11:
        return "asymmetric"
    return op.attribute("coordinate_transformation_mode", "half_pixel")


def _target(op: Operation, rank: int) -> dict[str, Any]:
    """Sizes or factors of the spatial axes."""
    old = op.kind == "Upsample" or op.opset < 11
    wanted = None if old else op.input(3)
    if wanted is not None:
        if not isinstance(wanted, tuple):
            op.refuse("its sizes depend on the network's input")
        return {"size": tuple(wanted[2 - rank :])}
    factors = op.setting("scales", 1 if old else 2)
    if factors is None or (isinstance(factors, Tensor) and not factors.numel()):
        op.refuse("neither sizes nor factors are given")
    found = [float(f) for f in (factors.tolist() if isinstance(factors, Tensor) else factors)]
    if len(found) == rank and found[:2] != [1.0, 1.0]:
        op.refuse("it resizes the batch or the channels")
    return {"scale_factor": tuple(found[2 - rank :]), "recompute_scale_factor": False}


def _factors(op: Operation, target: dict[str, Any]) -> tuple[float, ...] | None:
    """Output over input size of each spatial axis, or None when sizes are unknown."""
    if "scale_factor" in target:
        return target["scale_factor"]
    known = [n for n in (op.shape(0) or ())[2:] if n]
    sizes = target["size"]
    return tuple(m / n for m, n in zip(sizes, known, strict=True)) if len(known) == len(sizes) else None


def _is_whole_enlargement(op: Operation, target: dict[str, Any], place: str) -> bool:
    """Whether every pixel is repeated equally often, where PyTorch and all roundings agree."""
    factors = _factors(op, target)
    whole = factors is not None and all(f >= 1 and f == round(f) for f in factors)
    rounding = op.attribute("nearest_mode", "round_prefer_floor")
    corner = place == "asymmetric" and (rounding == "floor" or op.kind == "Upsample" or op.opset < 11)
    return whole and (corner or (place in HALF and rounding.startswith("round")))


def _method(op: Operation, rank: int, place: str) -> dict[str, Any]:
    mode = op.attribute("mode", "nearest")
    if op.attribute("antialias", 0) or op.attribute("exclude_outside", 0):
        op.refuse("an antialiased interpolation")
    if mode == "nearest":
        return {"mode": "nearest"}
    if mode == "cubic" and not math.isclose(op.attribute("cubic_coeff_a", -0.75), -0.75):
        op.refuse("a cubic interpolation with another coefficient than -0.75")
    name = "bicubic" if mode == "cubic" and rank == 4 else LINEAR.get(rank) if mode == "linear" else None
    if name is None or place not in (*HALF, "align_corners"):
        op.refuse(f"{mode} interpolation with {place!r} coordinates on {rank} axes")
    target = _target(op, rank)
    if place == "align_corners" and not _gives_whole_sizes(op, target):
        op.refuse("aligned corners with a factor that gives no whole size")
    if place == "pytorch_half_pixel" and 1 in target.get("size", ()):
        op.refuse("an interpolation to one pixel")
    return {"mode": name, "align_corners": place == "align_corners"}


def _gives_whole_sizes(op: Operation, target: dict[str, Any]) -> bool:
    if "size" in target:
        return True
    factors, known = target["scale_factor"], (op.shape(0) or ())[2:]
    if len(known) != len(factors) or None in known:
        return all(f == round(f) for f in factors)
    return all((f * (n or 0)).is_integer() for f, n in zip(factors, known, strict=True))


def nearest(x: Tensor, target: dict[str, Any], place: str, rounding: str) -> Tensor:
    """Each output pixel is one input pixel, found by coordinates and a rounding."""
    axes = tuple(range(2, x.dim()))
    for number, axis in enumerate(axes):
        size = x.shape[axis]
        factor = target["scale_factor"][number] if "scale_factor" in target else target["size"][number] / size
        length = target["size"][number] if "size" in target else math.floor(size * factor)
        taken = [_rounded(at, rounding) for at in _places(size, length, factor, place)]
        taken = [min(max(i, 0), size - 1) for i in taken]
        x = x.index_select(axis, torch.tensor(taken, device=x.device))
    return x


def _places(size: int, length: int, factor: float, place: str) -> Sequence[float]:
    """Where the centres of the output pixels lie among the input pixels."""
    if place == "asymmetric":
        return [i / factor for i in range(length)]
    if place == "align_corners":
        return [i * (size - 1) / max(1, length - 1) for i in range(length)]
    if place == "pytorch_half_pixel" and length == 1:
        return [0.0]
    shift = 0.0
    if place == "half_pixel_symmetric":
        shift = (size / 2) * (1 - length / (factor * size))
    return [shift + (i + 0.5) / factor - 0.5 for i in range(length)]


def _rounded(at: float, rounding: str) -> int:
    if rounding == "floor":
        return math.floor(at)
    if rounding == "ceil":
        return math.ceil(at)
    prefer_floor = rounding == "round_prefer_floor"
    return math.ceil(at - 0.5) if prefer_floor else math.floor(at + 0.5)
