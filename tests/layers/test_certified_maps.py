"""Linear maps and convolutions with wild parameters: what is certified is right."""

from collections.abc import Callable

import pytest
import torch

from preimage import Bijection
from preimage.errors import NotInvertibleError
from preimage.layers import (
    Ascending,
    AutoregressiveConvolution,
    CayleyOrthogonal,
    CircularConvolution,
    CircularExponential,
    ConvolutionExponential,
    CosineTransform,
    Dense,
    EmergingConvolution,
    ExponentialLinear,
    ExponentialOrthogonal,
    InvertibleDownsampling,
    LowerTriangularLinear,
    LULinear,
    QRLinear,
    SetLinear,
    TriangularKernels,
    WoodburyLinear,
)

MAPS: dict[str, tuple[Callable[[], Bijection], tuple[int, ...]]] = {
    "cayley": (lambda: CayleyOrthogonal(6), (6,)),
    "exponential orthogonal": (lambda: ExponentialOrthogonal(6), (6,)),
    "exponential": (lambda: ExponentialLinear(6), (6,)),
    "triangular": (lambda: LowerTriangularLinear(12), (12,)),
    "qr": (lambda: QRLinear(6), (6,)),
    "woodbury": (lambda: WoodburyLinear(6, 3), (6,)),
    "woodbury, high rank": (lambda: WoodburyLinear(4, 8), (4, 3, 3)),
    "circular": (lambda: CircularConvolution(3, 3), (3, 6, 5)),
    "circular exponential": (lambda: CircularExponential(2, 3), (2, 6, 5)),
    "autoregressive": (lambda: AutoregressiveConvolution(2, 3), (2, 8, 8)),
    "autoregressive, signals": (lambda: AutoregressiveConvolution(2, (3,)), (2, 64)),
    "emerging": (lambda: EmergingConvolution(2, 3), (2, 8, 8)),
    "convolution exponential": (lambda: ConvolutionExponential(2, 3, norm=8.0), (2, 6, 6)),
    "downsampling": (lambda: InvertibleDownsampling(2, 2, TriangularKernels), (2, 4, 4)),
    "set": (lambda: SetLinear(LULinear(3), Dense(3)), (3, 5)),
    "ascending": (lambda: Ascending(5).inv, (5,)),
    "cosine": (lambda: CosineTransform(2), (2, 5, 300)),
}
GENTLE, WILD = (0.1, 1.0), (4.0, 30.0)


@torch.no_grad()
def _errors(
    name: str, deviation: float, size: float, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Relative errors of all rows, and which of them are certified."""
    make, event = MAPS[name]
    torch.manual_seed(3)
    layer = make().to(dtype)
    for parameter in layer.parameters():
        parameter.add_(deviation * torch.randn_like(parameter))
    x = (size * torch.randn(4, *event)).to(dtype)
    try:
        back, certificate = layer.certified_inverse(layer(x), on_error="nan")
    except NotInvertibleError:
        return torch.zeros(0), torch.zeros(0, dtype=torch.bool)
    return (back - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1), certificate.converged


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", MAPS)
def test_certified_rows_are_right(name: str, dtype: torch.dtype) -> None:
    for deviation in (*GENTLE, *WILD):
        for size in (1.0, 1e6):
            error, certified = _errors(name, deviation, size, dtype)
            assert (error[certified] < 0.01).all(), (deviation, size)


@pytest.mark.parametrize("name", [name for name in MAPS if name != "ascending"])
def test_ordinary_rows_are_certified(name: str) -> None:
    """Not by refusing everything: with small parameters all rows pass, inputs of a million included."""
    for size in (1.0, 1e6):
        error, certified = _errors(name, 0.1, size, torch.float64)
        assert certified.all()
        assert (error < 1e-8).all()
