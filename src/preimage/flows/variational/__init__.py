"""Flows fitted to a density instead of data, and how far to trust them. One line a name, alphabetically."""

from preimage.flows.variational.flow_vae import FlowVAE as FlowVAE
from preimage.flows.variational.flow_vae import flow_posterior as flow_posterior
from preimage.flows.variational.importance import ImportanceSample as ImportanceSample
from preimage.flows.variational.importance import importance_sample as importance_sample
from preimage.flows.variational.objectives import LogDensity as LogDensity
from preimage.flows.variational.objectives import fit_density as fit_density
from preimage.flows.variational.objectives import importance_weighted_bound as importance_weighted_bound
from preimage.flows.variational.objectives import path_reverse_kl as path_reverse_kl
from preimage.flows.variational.objectives import reverse_kl as reverse_kl
from preimage.flows.variational.observations import BernoulliObservation as BernoulliObservation
from preimage.flows.variational.observations import NormalObservation as NormalObservation
from preimage.flows.variational.observations import Observation as Observation
