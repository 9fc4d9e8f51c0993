"""What would have to change for another answer. One line a name, in alphabetical order."""

from preimage.classify.counterfactuals.counterfactuals import Counterfactuals as Counterfactuals
from preimage.classify.counterfactuals.mean_shift import mean_shift as mean_shift
from preimage.classify.counterfactuals.smallest_move import smallest_move as smallest_move
