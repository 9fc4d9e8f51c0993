"""Flows by the names of their papers. One line a name, in alphabetical order."""

from preimage.flows.presets.attention import jet as jet
from preimage.flows.presets.attention import tarflow as tarflow
from preimage.flows.presets.autoregressive import iaf as iaf
from preimage.flows.presets.autoregressive import maf as maf
from preimage.flows.presets.continuous import ffjord as ffjord
from preimage.flows.presets.coupling import nice as nice
from preimage.flows.presets.coupling import realnvp as realnvp
from preimage.flows.presets.glow import glow as glow
from preimage.flows.presets.monotone import naf as naf
from preimage.flows.presets.monotone import umnn as umnn
from preimage.flows.presets.residual import planar as planar
from preimage.flows.presets.residual import radial as radial
from preimage.flows.presets.residual import residual_flow as residual_flow
from preimage.flows.presets.residual import sylvester as sylvester
from preimage.flows.presets.spline import nsf as nsf
from preimage.flows.presets.spline import nsf_coupling as nsf_coupling
