"""What a class looks like to a classifier. One line a name, in alphabetical order."""

from preimage.classify.prototypes.by_inverse import inverted_logits as inverted_logits
from preimage.classify.prototypes.channel_objective import ChannelObjective as ChannelObjective
from preimage.classify.prototypes.channels import ChannelPrototypes as ChannelPrototypes
from preimage.classify.prototypes.channels import ChannelSettings as ChannelSettings
from preimage.classify.prototypes.channels import channel_prototypes as channel_prototypes
from preimage.classify.prototypes.kinds import KindPrototypes as KindPrototypes
from preimage.classify.prototypes.kinds import kind_prototypes as kind_prototypes
from preimage.classify.prototypes.prototypes import Prototypes as Prototypes
from preimage.classify.prototypes.refined import prototype_losses as prototype_losses
from preimage.classify.prototypes.refined import refined_prototypes as refined_prototypes
from preimage.classify.prototypes.scores import ClassScore as ClassScore
from preimage.classify.prototypes.scores import GenerativeScore as GenerativeScore
from preimage.classify.prototypes.scores import ModuleScore as ModuleScore
