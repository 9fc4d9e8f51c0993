"""Flows by the names of their papers. One line a name, in alphabetical order."""

from preimage.flows.presets.autoregressive import iaf as iaf
from preimage.flows.presets.autoregressive import maf as maf
from preimage.flows.presets.coupling import nice as nice
from preimage.flows.presets.coupling import realnvp as realnvp
from preimage.flows.presets.glow import glow as glow
from preimage.flows.presets.spline import nsf as nsf
from preimage.flows.presets.spline import nsf_coupling as nsf_coupling
