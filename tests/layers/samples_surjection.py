"""Samples of the bijections that go with surjections; surjections have tests of their own."""

from preimage.layers import Ascending
from preimage.testing import Sample

SAMPLES = [
    Sample("ascending", lambda: Ascending(4)),
    Sample("ascending, one number", lambda: Ascending(1)),
]
