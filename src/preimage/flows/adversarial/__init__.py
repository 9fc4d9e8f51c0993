"""Flows and critics, in data and in latents. One line a name, in alphabetical order."""

from preimage.flows.adversarial.critics import ConvCritic as ConvCritic
from preimage.flows.adversarial.critics import FlatCritic as FlatCritic
from preimage.flows.adversarial.critics import Scores as Scores
from preimage.flows.adversarial.critics import default_critic as default_critic
from preimage.flows.adversarial.critics import spectral as spectral
from preimage.flows.adversarial.fit import fit_both_ways as fit_both_ways
from preimage.flows.adversarial.games import Game as Game
from preimage.flows.adversarial.games import Hinge as Hinge
from preimage.flows.adversarial.games import NonSaturating as NonSaturating
from preimage.flows.adversarial.games import Relativistic as Relativistic
from preimage.flows.adversarial.games import Wasserstein as Wasserstein
from preimage.flows.adversarial.penalties import BothZeroCentred as BothZeroCentred
from preimage.flows.adversarial.penalties import NoPenalty as NoPenalty
from preimage.flows.adversarial.penalties import Penalty as Penalty
from preimage.flows.adversarial.penalties import UnitSlope as UnitSlope
from preimage.flows.adversarial.penalties import ZeroCentred as ZeroCentred
from preimage.flows.adversarial.players import BothWays as BothWays
