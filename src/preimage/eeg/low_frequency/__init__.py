"""What slow signals alone tell of the classes. One line a name."""

from preimage.eeg.low_frequency.features import fourier_features as fourier_features
from preimage.eeg.low_frequency.features import low_pass as low_pass
from preimage.eeg.low_frequency.features import low_signals as low_signals
from preimage.eeg.low_frequency.mixture import FourierMixture as FourierMixture
from preimage.eeg.low_frequency.mixture import LowFrequencies as LowFrequencies
from preimage.eeg.low_frequency.study import StudyRow as StudyRow
from preimage.eeg.low_frequency.study import low_frequency_study as low_frequency_study
from preimage.eeg.low_frequency.study import low_passed_windows as low_passed_windows
