"""Whether stated probabilities are true. One line a name, in alphabetical order."""

from preimage.classify.calibration.bins import Bins as Bins
from preimage.classify.calibration.bins import EqualMassBins as EqualMassBins
from preimage.classify.calibration.bins import EqualWidthBins as EqualWidthBins
from preimage.classify.calibration.plot import plot_reliability as plot_reliability
from preimage.classify.calibration.reliability import Reliability as Reliability
from preimage.classify.calibration.reliability import reliability as reliability
from preimage.classify.calibration.temperature import best_temperature as best_temperature
from preimage.classify.calibration.temperature import calibrate as calibrate
