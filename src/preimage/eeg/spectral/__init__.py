"""A classifier by spectra with covariances per frequency. One line a name."""

from preimage.eeg.spectral.base import SpectralClassConditional as SpectralClassConditional
from preimage.eeg.spectral.choice import Choice as Choice
from preimage.eeg.spectral.choice import choose_spectral as choose_spectral
from preimage.eeg.spectral.choice import usual_candidates as usual_candidates
from preimage.eeg.spectral.classifier import SpectralClassifier as SpectralClassifier
from preimage.eeg.spectral.classifier import SpectralSettings as SpectralSettings
from preimage.eeg.spectral.classifier import spectral_flow as spectral_flow
