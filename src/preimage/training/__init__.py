"""The fit loop: the only room that knows optimisers. One line a name, in alphabetical order."""

from preimage.training.batches import as_source as as_source
from preimage.training.cycles import CosineCycles as CosineCycles
from preimage.training.find_learning_rate import LearningRates as LearningRates
from preimage.training.find_learning_rate import find_learning_rate as find_learning_rate
from preimage.training.fit import fit as fit
from preimage.training.history import History as History
from preimage.training.parameter_groups import ParameterGroup as ParameterGroup
from preimage.training.schedule import ScheduleRule as ScheduleRule
from preimage.training.settings import FitSettings as FitSettings
