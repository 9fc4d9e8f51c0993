"""Samples of the elementwise maps."""

import torch

from preimage import Chain
from preimage.layers import (
    ELU,
    GELU,
    SELU,
    Affine,
    Asinh,
    Baird,
    Bias,
    Exp,
    LearnedRangeCompression,
    Log,
    Logit,
    LogNorm,
    MonotonicPReLU,
    MonotonicSine,
    PReLU,
    RangeCompression,
    Sigmoid,
    SignedSine,
    SignedTanh,
    Sine,
    Sinh,
    Softplus,
    Softsign,
    Swish,
    Tanh,
)
from preimage.testing import Sample

NOT_SQUARE = {"log_det": "the branch is a whole number: it has no derivative, so no square Jacobian exists"}


def _positive_start() -> LogNorm:
    layer = LogNorm(Affine(3))
    torch.nn.init.constant_(layer.affine.shift, 6.0)
    return layer


SAMPLES = [
    Sample("sigmoid", Sigmoid, free=(3,)),
    Sample("sigmoid, pictures", Sigmoid, free=(2, 2, 3)),
    Sample("logit", Logit, free=(4,)),
    Sample("tanh", Tanh, free=(2, 3)),
    Sample("softsign", Softsign, free=(4,)),
    Sample("softplus", Softplus, free=(4,)),
    Sample("exp", Exp, free=(3,)),
    Sample("log", Log, free=(3,)),
    Sample("asinh", Asinh, free=(4,)),
    Sample("sinh", Sinh, free=(4,)),
    Sample("elu", ELU, free=(4,)),
    Sample("elu, deep", lambda: ELU(2.5), free=(2, 3)),
    Sample("selu", SELU, free=(4,)),
    Sample("prelu, one slope", PReLU, free=(4,)),
    Sample("prelu, per channel", lambda: PReLU(2, slope=0.5), free=(3, 2)),
    Sample("prelu, per position", lambda: PReLU((2, 3))),
    Sample("monotonic prelu, one slope", MonotonicPReLU, free=(4,)),
    Sample("monotonic prelu, per channel", lambda: MonotonicPReLU(3), free=(2, 2)),
    Sample("monotonic prelu, per position", lambda: MonotonicPReLU((2, 3), slope=2.0, least=0.5)),
    Sample("baird, one shift", Baird, free=(3,)),
    Sample("baird, per feature", lambda: Baird(4), perturb=1.0),
    Sample("baird, per position", lambda: Baird((2, 2, 2)), perturb=1.0),
    Sample("monotonic sine, one", MonotonicSine, free=(2, 3), perturb=0.7),
    Sample("monotonic sine, per feature", lambda: MonotonicSine(4, limit=0.95), perturb=1.0),
    Sample("signed tanh", SignedTanh, free=(4,)),
    Sample("signed sine", SignedSine, free=(4,)),
    Sample("sine", Sine, free=(3,), exceptions=NOT_SQUARE),
    Sample("sine, many branches", Sine, inputs=lambda n: 20 * torch.randn(n, 2, 2), exceptions=NOT_SQUARE),
    Sample("swish", Swish, free=(4,), exceptions=NOT_SQUARE),
    Sample(
        "swish, steep, both branches",
        lambda: Swish(1.5),
        inputs=lambda n: 4 * torch.randn(n, 2, 2),
        exceptions=NOT_SQUARE,
    ),
    Sample("gelu", GELU, free=(4,), exceptions=NOT_SQUARE),
    Sample("gelu, both branches", GELU, inputs=lambda n: 2 * torch.randn(n, 2, 2), exceptions=NOT_SQUARE),
    Sample("range compression", lambda: RangeCompression(-3, 0.5), free=(4,)),
    Sample("range compression, backwards", lambda: RangeCompression(0, 255).inv, free=(4,)),
    Sample("learned range compression", LearnedRangeCompression, free=(4,)),
    Sample("learned range compression, per channel", lambda: LearnedRangeCompression(2, -1, 3), free=(3,)),
    Sample("learned range compression, backwards", lambda: LearnedRangeCompression(3).inv),
    Sample("log norm", _positive_start),
    Sample("elementwise chain", lambda: Chain(Bias(3), Tanh(), Logit().inv, Logit(), Tanh().inv, Baird(3))),
]
