"""Electrical recordings of brains: networks, explanations, data, pictures."""

from preimage.eeg.layout import STANDARD_CHANNELS as STANDARD_CHANNELS
from preimage.eeg.layout import electrode_positions as electrode_positions
from preimage.eeg.layout import head_positions as head_positions
from preimage.eeg.synthetic import Strengths as Strengths
from preimage.eeg.synthetic import SyntheticEEG as SyntheticEEG
from preimage.eeg.synthetic import synthetic as synthetic
from preimage.eeg.synthetic_features import Offset as Offset
from preimage.eeg.synthetic_features import Oscillation as Oscillation
from preimage.eeg.synthetic_features import PlantedFeature as PlantedFeature
from preimage.eeg.synthetic_features import SynchronousPair as SynchronousPair
from preimage.eeg.synthetic_scores import FeatureScore as FeatureScore
from preimage.eeg.synthetic_scores import score_pattern as score_pattern
from preimage.eeg.synthetic_scores import score_prototypes as score_prototypes
from preimage.eeg.synthetic_truth import SyntheticTruth as SyntheticTruth
