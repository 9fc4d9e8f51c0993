"""Tools for the weights of ordinary layers: how they start, how they are scaled, how large they may
become."""

from preimage.weights.centred import centred_weight_norm as centred_weight_norm
from preimage.weights.equalised import equalised_learning_rate as equalised_learning_rate
from preimage.weights.fan_in import fan_in as fan_in
from preimage.weights.he_initialiser import HeInitialiser as HeInitialiser
from preimage.weights.norm_operator import operator_norm as operator_norm
from preimage.weights.reparametrise import reparametrise as reparametrise
from preimage.weights.spectral import spectral_bound as spectral_bound
from preimage.weights.spectral import spectral_norm as spectral_norm
