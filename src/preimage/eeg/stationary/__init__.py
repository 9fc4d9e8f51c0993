"""Recordings whose classes differ in mean and spectrum: a fit in closed form. One line a name."""

from preimage.eeg.stationary.base import StationaryClassConditional as StationaryClassConditional
from preimage.eeg.stationary.classifier import StationaryClassifier as StationaryClassifier
from preimage.eeg.stationary.classifier import stationary_flow as stationary_flow
from preimage.eeg.stationary.patterns import BandPatterns as BandPatterns
from preimage.eeg.stationary.patterns import band_patterns as band_patterns
