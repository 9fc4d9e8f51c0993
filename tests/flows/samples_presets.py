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
}
SHAPED = {
    "glow, picture": (lambda **more: flows.glow((3, 8, 8), levels=2, steps=2, **SMALL, **more), (3, 8, 8)),
    "glow, signal": (lambda **more: flows.glow((4, 16), levels=3, steps=1, **SMALL, **more), (4, 16)),
    "glow, one level": (lambda **more: flows.glow((1, 4, 6), levels=1, steps=2, **SMALL, **more), (1, 4, 6)),
}
