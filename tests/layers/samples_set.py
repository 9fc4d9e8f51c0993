"""Samples of the layers for sets."""

from preimage.layers import (
    AdditiveMap,
    DeepSet,
    ExponentialLinear,
    LULinear,
    SetCoupling,
    SetLinear,
    SetTransformer,
)
from preimage.testing import Sample

SAMPLES = [
    Sample("set coupling, deep set", lambda: SetCoupling(3, DeepSet(1, 4, (5,))), free=(4,), perturb=0.5),
    Sample(
        "set coupling, attention, context",
        lambda: SetCoupling(3, SetTransformer(2, 2, 4, 1, 2, context=2), keep=2, first=False, context=2),
        free=(3,),
        perturb=0.5,
    ),
    Sample(
        "set coupling, one element",
        lambda: SetCoupling(2, DeepSet(1, 1, (4,), context=1), AdditiveMap(), context=1),
        free=(1,),
        perturb=0.5,
    ),
    Sample("set linear", lambda: SetLinear(LULinear(3), ExponentialLinear(3)), free=(4,), perturb=0.5),
    Sample(
        "set linear, two elements, no bias",
        lambda: SetLinear(LULinear(2), LULinear(2), bias=False),
        free=(2,),
    ),
]
