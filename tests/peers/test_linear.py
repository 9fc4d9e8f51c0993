"""QR, triangular and exponential maps, and learned down-sampling, against every peer that has them."""

import pytest
import torch
from torch import Tensor

from peers.compare import from_freia, from_nflows, from_torchflows, from_zuko, randomise
from preimage.functional.matrices.skew import below_diagonal
from preimage.layers import (
    CayleyKernels,
    CayleyOrthogonal,
    ExponentialKernels,
    ExponentialOrthogonal,
    InvertibleDownsampling,
    InvertibleUpsampling,
    LowerTriangularLinear,
    Orthogonal,
    QRLinear,
    UpperTriangularLinear,
)


def _qr(vectors: Tensor, upper: Tensor, bias: Tensor | None = None) -> QRLinear:
    """Ours with these reflections, the first one applied first, and this R."""
    layer = QRLinear(len(upper), len(vectors), bias=bias is not None)
    layer.orthogonal = Orthogonal(len(upper), len(vectors), bias=False, determinant=(-1) ** len(vectors))
    layer.triangular = UpperTriangularLinear.from_matrix(upper, bias=False)
    with torch.no_grad():
        layer.orthogonal.vectors.copy_(vectors.flip(0))
        if bias is not None and layer.bias is not None:
            layer.bias.copy_(bias)
    return layer


@pytest.mark.parametrize("count", [1, 4, 5])
def test_nflows_qr(agree, count: int) -> None:
    transforms = pytest.importorskip("nflows.transforms")
    peer = randomise(transforms.QRLinear(5, count))
    agree(
        _qr(peer.orthogonal.q_vectors, peer._create_upper(), peer.bias), from_nflows(peer), torch.randn(6, 5)
    )


def test_torchflows_qr(agree) -> None:
    matrices = pytest.importorskip("torchflows.bijections.finite.matrix.decomposition")
    peer = randomise(matrices.QRMatrix((5,)))
    upper = peer.upper.project_flat(torch.eye(5)).mT.detach()
    agree(_qr(peer.orthogonal.v, upper), from_torchflows(peer), torch.randn(6, 5))


@pytest.mark.parametrize("kind", [LowerTriangularLinear, UpperTriangularLinear])
def test_torchflows_triangular(agree, kind: type) -> None:
    matrices = pytest.importorskip("torchflows.bijections.finite.matrix.triangular")
    lower = kind is LowerTriangularLinear
    name = "LowerTriangularInvertibleMatrix" if lower else "UpperTriangularInvertibleMatrix"
    peer = randomise(getattr(matrices, name)((5,)))
    matrix = peer.project_flat(torch.eye(5)).mT.detach()
    agree(kind.from_matrix(matrix, bias=False), from_torchflows(peer), torch.randn(6, 5))


def test_zuko_rotation_with_its_own_parameters(agree) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    matrix = torch.randn(5, 5)
    ours = ExponentialOrthogonal(5, bias=False)
    with torch.no_grad():
        ours.entries.copy_(below_diagonal(matrix - matrix.mT))
    agree(ours, from_zuko(lambda _: transforms.RotationTransform(matrix)), torch.randn(6, 5))


def test_zuko_rotation_from_its_matrix(agree) -> None:
    transforms = pytest.importorskip("zuko.transforms")
    rotation = transforms.RotationTransform(torch.randn(5, 5))
    for kind in (CayleyOrthogonal, ExponentialOrthogonal):
        ours = kind.from_matrix(rotation.R, bias=False)
        agree(ours, from_zuko(lambda _: rotation), torch.randn(6, 5), tolerance=1e-11)


@pytest.mark.parametrize("kernels", [CayleyKernels, ExponentialKernels])
def test_freia_haar_as_learned_sampling(agree, kernels: type) -> None:
    """The wavelet that FrEIA fixes is a starting point of ours; its bands come in another order."""
    modules = pytest.importorskip("FrEIA.modules")
    peer = modules.HaarDownsampling([(3, 4, 6)])
    wavelet = 0.5 * peer.haar_weights.detach()[:4].reshape(4, 4).double()
    peer = peer.double()
    ours = InvertibleDownsampling(3, 2, kernels).double()
    ours.kernels.set_matrix(wavelet)
    agree(ours, from_freia(peer), torch.randn(2, 3, 4, 6))
    up = InvertibleUpsampling(12, 2, kernels).double()
    up.down = ours
    agree(up, from_freia(modules.HaarUpsampling([(12, 2, 3)]).double()), torch.randn(2, 12, 2, 3))
