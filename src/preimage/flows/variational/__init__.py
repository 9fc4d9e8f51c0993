"""Flows fitted to a density instead of data, and how far to trust them. One line a name, alphabetically."""

from preimage.flows.variational.importance import ImportanceSample as ImportanceSample
from preimage.flows.variational.importance import importance_sample as importance_sample
from preimage.flows.variational.objectives import LogDensity as LogDensity
from preimage.flows.variational.objectives import fit_density as fit_density
from preimage.flows.variational.objectives import importance_weighted_bound as importance_weighted_bound
from preimage.flows.variational.objectives import path_reverse_kl as path_reverse_kl
from preimage.flows.variational.objectives import reverse_kl as reverse_kl
