"""Recordings drawn with planted class differences, and scores of what finds them. One line a name."""

from preimage.eeg.planted.features import Offset as Offset
from preimage.eeg.planted.features import Oscillation as Oscillation
from preimage.eeg.planted.features import PlantedFeature as PlantedFeature
from preimage.eeg.planted.features import SynchronousPair as SynchronousPair
from preimage.eeg.planted.recordings import Strengths as Strengths
from preimage.eeg.planted.recordings import SyntheticEEG as SyntheticEEG
from preimage.eeg.planted.recordings import synthetic as synthetic
from preimage.eeg.planted.scores import FeatureScore as FeatureScore
from preimage.eeg.planted.scores import score_pattern as score_pattern
from preimage.eeg.planted.scores import score_prototypes as score_prototypes
from preimage.eeg.planted.truth import SyntheticTruth as SyntheticTruth
