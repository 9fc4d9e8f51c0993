"""Figures of recordings, prototypes and networks. One line a name, in alphabetical order."""

from preimage.eeg.plots.architecture import plot_architecture as plot_architecture
from preimage.eeg.plots.cosnet import plot_cosnet_filters as plot_cosnet_filters
from preimage.eeg.plots.cosnet import plot_cosnet_steps as plot_cosnet_steps
from preimage.eeg.plots.evidence import plot_class_evidence as plot_class_evidence
from preimage.eeg.plots.mixture import plot_fourier_mixture as plot_fourier_mixture
from preimage.eeg.plots.prototypes import plot_electrode_prototypes as plot_electrode_prototypes
from preimage.eeg.plots.prototypes import plot_waveforms as plot_waveforms
from preimage.eeg.plots.scalp import band_maps as band_maps
from preimage.eeg.plots.scalp import draw_scalp_map as draw_scalp_map
from preimage.eeg.plots.scalp import scalp_maps as scalp_maps
from preimage.eeg.plots.scalp import separate_scalp_maps as separate_scalp_maps
