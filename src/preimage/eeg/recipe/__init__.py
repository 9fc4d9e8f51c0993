"""The training recipe of EEG-InvNet. One line a name."""

from preimage.eeg.recipe.crops import RandomCrops as RandomCrops
from preimage.eeg.recipe.crops import evenly_spaced_crops as evenly_spaced_crops
from preimage.eeg.recipe.crops import split_subjects as split_subjects
from preimage.eeg.recipe.fit import fit_by_recipe as fit_by_recipe
from preimage.eeg.recipe.fit import recipe_settings as recipe_settings
from preimage.eeg.recipe.noise import NoisyLoss as NoisyLoss
from preimage.eeg.recipe.noise import noise_log_prob as noise_log_prob
from preimage.eeg.recipe.start import start_from_data as start_from_data
