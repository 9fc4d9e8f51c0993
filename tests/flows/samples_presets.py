"""Every preset with small sizes: the table that the property tests run over."""

from preimage import flows

SMALL = {"hidden_features": (16,)}
VECTORS = {
    "nice": lambda **more: flows.nice(2, transforms=3, **SMALL, **more),
    "realnvp": lambda **more: flows.realnvp(2, transforms=3, **SMALL, **more),
    "glow": lambda **more: flows.glow(2, steps=3, **SMALL, **more),
    "maf": lambda **more: flows.maf(2, transforms=2, **SMALL, **more),
    "iaf": lambda **more: flows.iaf(2, transforms=2, **SMALL, **more),
    "nsf": lambda **more: flows.nsf(2, transforms=2, **SMALL, **more),
    "nsf_coupling": lambda **more: flows.nsf_coupling(2, transforms=2, **SMALL, **more),
    "naf": lambda **more: flows.naf(2, transforms=1, units=(4,), **SMALL, **more),
    "umnn": lambda **more: flows.umnn(2, transforms=1, signal=3, **SMALL, **more),
    "residual_flow": lambda **more: flows.residual_flow(2, transforms=2, **SMALL, **more),
    "planar": lambda **more: flows.planar(2, transforms=3, **more),
    "radial": lambda **more: flows.radial(2, transforms=3, **more),
    "sylvester": lambda **more: flows.sylvester(2, transforms=2, **more),
    "ffjord": lambda **more: flows.ffjord(2, **SMALL, **more),
}
TOKENS = {"patch": 4, "transforms": 2, "hidden_features": 8, "heads": 2}
SHAPED = {
    "jet": (lambda **more: flows.jet((1, 8, 8), **TOKENS, **more), (1, 8, 8)),
    "tarflow": (lambda **more: flows.tarflow((1, 8, 8), depth=1, **TOKENS, **more), (1, 8, 8)),
    "glow, picture": (lambda **more: flows.glow((3, 8, 8), levels=2, steps=2, **SMALL, **more), (3, 8, 8)),
    "glow, signal": (lambda **more: flows.glow((4, 16), levels=3, steps=1, **SMALL, **more), (4, 16)),
    "glow, one level": (lambda **more: flows.glow((1, 4, 6), levels=1, steps=2, **SMALL, **more), (1, 4, 6)),
}
